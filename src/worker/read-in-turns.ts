import type { Readable } from 'node:stream';

/** How long the chunks of one stream may keep the loop before others have their turn. */
const TURN_MS = 2;
/** Chunks that come closer after one another than this are of the same turn. */
const SAME_TURN_MS = 0.5;
/** After a read of fewer bytes libuv comes back to the loop. */
const FULL_READ_BYTES = 65_536;

/**
 * Takes what a stream brings, and lets others have their turn in between: libuv reads up to 32 chunks of 64 KiB without
 * coming back to the loop, and what a worker prints decides how long each of them takes.
 */
export function readInTurns(stream: Readable, take: (chunk: Buffer) => void): void {
  let spentMs = 0;
  let endedAt = 0;
  stream.on('data', (chunk: Buffer) => {
    if (chunk.length < FULL_READ_BYTES) {
      take(chunk); // an answer is one of these: it is not timed
      return;
    }
    const startedAt = performance.now();
    if (startedAt - endedAt > SAME_TURN_MS) spentMs = 0;
    take(chunk);
    endedAt = performance.now();
    spentMs += endedAt - startedAt;
    if (spentMs < TURN_MS) return;
    spentMs = 0;
    stream.pause();
    setImmediate(() => stream.resume());
  });
}
