/**
 * A host of frames in the folder of its second argument.
 *
 * `full`: leases frames of 600 KiB and writes each whole, until none is to be had; then gives one back, and leases one of another shape. Prints what it met. `small`: delivers an image of 2 MiB, then a small
 * one, as files. `default`: leases a frame of 4 MiB from a pool without a bound of its own. `stay`: leases a frame and an encoded image's room, prints `ready` and stays.
 */
import { readdir } from 'node:fs/promises';
import { RunnerError } from '../../src/errors.js';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { Frame } from '../../src/frames/types.js';

const [, , mode = '', directory = ''] = process.argv;
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
const pool = new FramePool({ directory, maxBytes: 1 << 30 });

if (mode === 'full') {
  const frames: Frame[] = [];
  let code = 'none';
  try {
    for (let count = 0; count < 1000; count++) {
      const frame = await pool.lease({ width: 1024, height: 600, channels: 1 });
      frame.pixels.fill(count + 1);
      frames.push(frame);
    }
  } catch (error) {
    code = RunnerError.is(error) ? error.code : String(error);
  }
  say({
    frames: frames.length > 0 && frames.length < 1000,
    isEachKept: frames.length,
    code,
    ...(await pool.usage()),
  });
  frames[0]?.release();
  // Room is made of the idle frame, though the bound does not ask for it.
  const other = await pool.lease({ width: 600, height: 1024, channels: 1 });
  other.pixels.fill(9);
  say({ other: other.pixels[600 * 1024 - 1] });
  await pool.close();
} else if (mode === 'small') {
  const files = new FramePool({ directory, maxBytes: 1 << 30, mapped: false });
  const place = await files.place('reader');
  const large = await files.send({ data: new Uint8Array(2 << 20), width: 1024, height: 2048, channels: 1 });
  const code = await large.deliver(place).then(
    () => 'delivered',
    (error: unknown) => (error as NodeJS.ErrnoException).code,
  );
  say({ code, files: await readdir(place) });
  large.done();
  await (await files.send({ data: new Uint8Array(12), width: 2, height: 2 })).deliver(place);
  say({ files: await readdir(place) });
  await files.close();
} else if (mode === 'default') {
  await using unbounded = new FramePool({ directory, mapped: process.argv[4] !== 'files' });
  const code = await unbounded.lease({ width: 2048, height: 2048, channels: 1 }).then(
    () => 'leased',
    (error: unknown) => (error as RunnerError).code,
  );
  say({ code, mapped: (await unbounded.usage()).mapped });
} else {
  const frame = await pool.lease({ width: 2, height: 2 });
  frame.pixels.fill(1);
  say('ready');
  setInterval(() => undefined, 60_000);
}
