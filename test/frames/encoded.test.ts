import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readEncoded } from '../../src/frames/encoded-image.js';
import { FramePool, type FramePoolOptions } from '../../src/frames/frame-pool.js';
import { temporaryFolder } from '../support/temp-folder.js';

const meta = { width: 8, height: 6 };
const raw = Buffer.from(Uint8Array.from({ length: 8 * 6 * 4 }, (_, index) => (index * 7) % 256));

function png(options: { colorType?: 0 | 2 | 4 | 6; bitDepth?: 8 | 16 } = {}): Buffer {
  const image = new PNG({ ...meta });
  image.data = raw;
  return PNG.sync.write(image, { colorType: 2, ...options });
}
const jpg = jpeg.encode({ ...meta, data: raw }, 90).data;

async function openPool(options: FramePoolOptions = {}): Promise<FramePool> {
  const pool = new FramePool({ directory: await temporaryFolder(), ...options });
  onTestFinished(() => pool.close());
  return pool;
}

test.each([
  ['JPEG', jpg],
  ['RGB PNG', png()],
  ['gray PNG', png({ colorType: 0 })],
  ['PNG with alpha', png({ colorType: 6 })],
  ['JPEG with bytes after its end', Buffer.concat([jpg, Buffer.alloc(64)])],
])('a whole %s tells its size', (_title, bytes) => {
  expect(readEncoded(bytes)).toEqual(meta);
});

test.each([
  ['nothing', Buffer.alloc(0), /neither/],
  ['text', Buffer.from('not an image'), /neither/],
  ['the start of a JPEG', jpg.subarray(0, 2), /ends early/],
  ['a JPEG without its end', jpg.subarray(0, jpg.length - 2), /ends early/],
  ['half a JPEG', jpg.subarray(0, jpg.length / 2), /ends early/],
  ['a JPEG with a marker overwritten', Buffer.from(jpg).fill(1, 20, 24), /damaged|early/],
  ['half a PNG', png().subarray(0, 60), /ends early/],
  ['a PNG without its last chunk', png().subarray(0, png().length - 12), /ends early/],
  ['a PNG with a bit flipped', flipped(png(), 45), /checksum/],
  ['a PNG of 16 bits', png({ bitDepth: 16 }), /8 bits/],
  ['a PNG of gray with alpha', png({ colorType: 4 }), /8-bit gray or RGB/],
])('%s is told as a fault', (_title, bytes, fault) => {
  expect(readEncoded(bytes)).toEqual({ fault: expect.stringMatching(fault) as string });
});

test('no cut of a JPEG or PNG is taken for the whole', () => {
  for (const whole of [jpg, png()]) {
    for (let length = 0; length < whole.length; length++) {
      expect(readEncoded(whole.subarray(0, length))).toHaveProperty('fault');
    }
  }
});

describe('an encoded image', () => {
  test('is refused, with the remedy, for a worker that cannot decode it', async () => {
    const pool = await openPool();
    await expect(pool.send({ encoded: jpg, ...meta })).rejects.toMatchObject({
      code: 'unsupported_image',
      errorCode: '1002',
      message: /Pillow/,
    });
  });

  test('lies there as .bin for one that can, until the call is done', async () => {
    const pool = await openPool();
    const sent = await pool.send({ encoded: jpg, ...meta }, { canDecode: true });
    const folder = await pool.open();
    expect(await readFile(path.join(folder, `${sent.id}.bin`))).toEqual(jpg);
    sent.done();
    await expect.poll(() => readdir(folder)).not.toContain(`${sent.id}.bin`);
    expect(await pool.usage()).toMatchObject({ bytes: 0 });
  });

  test.each([
    ['that is damaged', { encoded: jpg.subarray(0, 99), ...meta }, /ends early/],
    ['of another size than it says', { encoded: jpg, width: 6, height: 8 }, /8 x 6.*6 x 8/],
  ])('%s is refused before a worker sees it', async (_title, image, message) => {
    const pool = await openPool();
    await expect(pool.send(image, { canDecode: true })).rejects.toMatchObject({
      code: 'invalid_image',
      message,
    });
  });

  test('takes its part of the bound, waits for room, and can be given up', async () => {
    const pool = await openPool({ maxBytes: jpg.length + 10 });
    const first = await pool.send({ encoded: jpg, ...meta }, { canDecode: true });
    expect(await pool.usage()).toMatchObject({ bytes: jpg.length });
    const controller = new AbortController();
    const given = pool.send({ encoded: jpg, ...meta }, { canDecode: true, signal: controller.signal });
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: 'aborted' });
    const waiting = pool.send({ encoded: jpg, ...meta }, { canDecode: true });
    first.done();
    (await waiting).done();
  });

  test('makes idle slots go when it needs their room', async () => {
    const pool = await openPool({ maxBytes: jpg.length + 100 });
    (await pool.lease({ width: 2, height: 2 })).release();
    const sent = await pool.send({ encoded: jpg, ...meta }, { canDecode: true });
    expect(await pool.usage()).toMatchObject({ slots: 0, bytes: jpg.length });
    sent.done();
  });

  test('is lost once the pool is closed, and leaves nothing', async () => {
    const directory = await temporaryFolder();
    const pool = await openPool({ directory });
    await pool.open();
    const sending = Promise.allSettled(
      Array.from({ length: 5 }, () => pool.send({ encoded: jpg, ...meta }, { canDecode: true })),
    );
    await pool.close();
    for (const one of await sending) {
      if (one.status === 'fulfilled') expect(one.value.isLost).toBe(true);
      else expect(one.reason).toMatchObject({ code: 'closed' });
    }
    expect(await readdir(directory)).toEqual([]);
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
