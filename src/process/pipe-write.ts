import { writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** Another runtime may call something else the descriptor of a stream. */
const isNode = process.versions.bun === undefined && process.versions.deno === undefined;

/**
 * Hands bytes to a pipe without waiting: as many as it takes at once by one call of the system, what is left by the stream, which
 * keeps it until there is room. By the stream alone each message is a request, with a callback in a turn of its own, and costs
 * several times the call of the system. What is broken shows at the stream.
 */
export function writeToPipe(stream: Writable | null, bytes: Buffer): void {
  if (!stream?.writable) return;
  const written = stream.writableLength > 0 ? 0 : writtenNow(stream, bytes);
  if (written < bytes.length) stream.write(written === 0 ? bytes : bytes.subarray(written));
}

/** libuv has made the pipes of a child such that a write to a full pipe fails, and does not wait (not so on Windows). */
function writtenNow(stream: Writable, bytes: Buffer): number {
  if (!isNode || process.platform === 'win32') return 0;
  const { _handle: handle } = stream as { _handle?: { fd?: unknown } | null };
  const descriptor = handle?.fd;
  if (typeof descriptor !== 'number' || descriptor < 0) return 0;
  try {
    return writeSync(descriptor, bytes);
  } catch {
    return 0; // EAGAIN: it is full
  }
}
