import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool, type FramePoolOptions } from '../../src/frames/frame-pool.js';
import { npyHeader } from '../../src/frames/npy.js';
import { sweepFrameFolders } from '../../src/frames/frame-folder.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function openPool(options: FramePoolOptions = {}): Promise<FramePool> {
  const pool = new FramePool({ directory: await temporaryFolder(), ...options });
  onTestFinished(() => pool.close());
  return pool;
}

/** What NumPy's own rules say of a file: Python parses the header and gives the pixels back. */
async function readNpy(file: string): Promise<{ shape: number[]; pixels: number[]; offset: number }> {
  const script = `
import ast, json, sys
data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\\x93NUMPY\\x01\\x00"
start = 10 + int.from_bytes(data[8:10], "little")
header = ast.literal_eval(data[10:start].decode("latin1"))
assert header["descr"] == "|u1" and not header["fortran_order"] and data[start - 1:start] == b"\\n"
print(json.dumps({"shape": header["shape"], "pixels": list(data[start:]), "offset": start}))`;
  const { stdout } = await promisify(execFile)('python3', ['-c', script, file]);
  return JSON.parse(stdout) as { shape: number[]; pixels: number[]; offset: number };
}

const meta = { width: 3, height: 2 };
const pixels = Uint8Array.from({ length: 18 }, (_, index) => index + 1);

describe.each([
  ['mapped', true],
  ['written through the file', false],
])('%s', (_title, mapped) => {
  test('a frame filled in place is a valid .npy file with those pixels', async () => {
    const pool = await openPool({ mapped });
    const frame = await pool.lease(meta);
    frame.pixels.set(pixels);
    const sent = await pool.send(frame);
    const read = await readNpy(path.join(await pool.open(), `${sent.id}.npy`));
    expect(read).toEqual({ shape: [2, 3, 3], pixels: [...pixels], offset: 128 });
    expect(sent.meta).toMatchObject({ width: 3, height: 2, color_space: 'RGB' });
  });

  test('an image that is handed over is copied in once, one channel as (H, W)', async () => {
    const pool = await openPool({ mapped });
    const sent = await pool.send({ data: pixels.subarray(0, 6), ...meta, channels: 1, colorSpace: 'BGR' });
    const read = await readNpy(path.join(await pool.open(), `${sent.id}.npy`));
    expect(read).toMatchObject({ shape: [2, 3], pixels: [1, 2, 3, 4, 5, 6] });
    expect(sent.meta.color_space).toBe('BGR');
  });

  test('the pixels of a released frame can no longer be reached, not even through a view that was kept', async () => {
    const pool = await openPool({ mapped });
    const frame = await pool.lease(meta);
    const kept = frame.pixels;
    kept.set(pixels);
    frame.release();
    const next = await pool.lease(meta);
    next.pixels.fill(7);
    kept[0] = 99;
    expect(next.pixels[0]).toBe(7);
    expect(() => frame.pixels).toThrow(expect.objectContaining({ code: 'frame_released' }));
  });
});

test('a slot is reused for the next image of its shape', async () => {
  const pool = await openPool();
  const first = await pool.send({ data: pixels, ...meta });
  first.done();
  const second = await pool.send({ data: pixels, ...meta });
  expect(second.id).toBe(first.id);
  expect((await pool.usage()).slots).toBe(1);
});

test('a slot in quarantine is not used until the worker is dead', async () => {
  const pool = await openPool();
  const first = await pool.send({ data: pixels, ...meta });
  let die = (): void => undefined;
  first.done(new Promise<void>((resolve) => (die = resolve)));
  const second = await pool.send({ data: pixels, ...meta });
  expect(second.id).not.toBe(first.id);
  die();
  await Promise.resolve();
  const third = await pool.send({ data: pixels, ...meta });
  expect(third.id).toBe(first.id);
});

test('a frame released while a call uses it is kept for the call', async () => {
  const pool = await openPool();
  const frame = await pool.lease(meta);
  frame.pixels.set(pixels);
  const sent = await pool.send(frame);
  frame.release();
  expect((await pool.lease(meta)).id).not.toBe(frame.id);
  sent.done();
  expect((await pool.lease(meta)).id).toBe(frame.id);
});

describe('a full pool', () => {
  test('makes the next one wait until a frame comes back', async () => {
    const pool = await openPool({ maxBytes: npyHeader(2, 3, 3).length + 18 });
    const first = await pool.lease(meta);
    const waiting = pool.lease(meta);
    first.release();
    expect((await waiting).id).toBe(first.id);
  });

  test('lets a waiter abort', async () => {
    const pool = await openPool({ maxBytes: 200 });
    await pool.lease(meta);
    const controller = new AbortController();
    const waiting = pool.lease(meta, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('drops idle slots of another shape for the one that is asked for', async () => {
    const pool = await openPool({ maxBytes: 200 });
    (await pool.lease(meta)).release();
    const other = await pool.lease({ width: 2, height: 3 });
    expect(await pool.usage()).toMatchObject({ slots: 1, idle: 0 });
    other.release();
  });

  test('refuses an image that is larger than all of it', async () => {
    const pool = await openPool({ maxBytes: 100 });
    await expect(pool.lease(meta)).rejects.toMatchObject({ code: 'pool_full', retryable: false });
  });
});

test('releasing twice is an error, and so is sending a frame that was never filled', async () => {
  const pool = await openPool();
  const frame = await pool.lease(meta);
  await expect(pool.send(frame)).rejects.toMatchObject({ code: 'invalid_image' });
  frame.release();
  expect(() => {
    frame.release();
  }).toThrow(expect.objectContaining({ code: 'frame_released' }));
});

test.each([
  ['too few bytes', { data: pixels.subarray(1), ...meta }, /18 bytes.*has 17/],
  ['no width', { data: pixels, width: 0, height: 2 }, /width/],
  ['half a pixel', { data: pixels, width: 1.5, height: 4 }, /width/],
  ['four channels', { data: pixels, ...meta, channels: 4 as 3 }, /channels/],
  ['an unknown colour space', { data: pixels, ...meta, colorSpace: 'HSV' as 'RGB' }, /colorSpace/],
])('an image with %s is refused with invalid_image', async (_title, image, message) => {
  const pool = await openPool();
  await expect(pool.send(image)).rejects.toMatchObject({
    code: 'invalid_image',
    message: expect.stringMatching(message) as string,
  });
});

describe('an encoded image', () => {
  const encoded = { encoded: new Uint8Array([0xff, 0xd8]), ...meta };

  test('is refused, with the remedy, for a worker that cannot decode it', async () => {
    const pool = await openPool();
    await expect(pool.send(encoded)).rejects.toMatchObject({ code: 'unsupported_image', message: /Pillow/ });
  });

  test('lies there as .bin for one that can, until the call is done', async () => {
    const pool = await openPool();
    const sent = await pool.send(encoded, { canDecode: true });
    const folder = await pool.open();
    expect(await readdir(folder)).toContain(`${sent.id}.bin`);
    sent.done();
    await expect.poll(() => readdir(folder)).not.toContain(`${sent.id}.bin`);
  });
});

describe('the folder', () => {
  test('is private and gone after close, and everything is refused from then on', async () => {
    const directory = await temporaryFolder();
    const pool = await openPool({ directory });
    const frame = await pool.lease(meta);
    const folder = await pool.open();
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const kept = frame.pixels;
    await pool.close();
    expect(await readdir(directory)).toEqual([]);
    kept.fill(1); // harmless
    await expect(pool.lease(meta)).rejects.toMatchObject({ code: 'closed' });
    await expect(pool.send({ data: pixels, ...meta })).rejects.toMatchObject({ code: 'closed' });
  });

  test('of a host that was killed is swept, that of one that lives is not', async () => {
    const directory = await temporaryFolder();
    const pool = await openPool({ directory });
    const own = await pool.open();
    const { makeFrameFolder } = await import('../../src/frames/frame-folder.js');
    const { writeFile, readFile } = await import('node:fs/promises');
    const other = await makeFrameFolder(directory);
    const owner = JSON.parse(await readFile(path.join(other, 'owner.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    await writeFile(path.join(other, 'owner.json'), JSON.stringify({ ...owner, startTime: '1' }));
    expect(await sweepFrameFolders(directory)).toEqual([other]);
    expect(await readdir(directory)).toEqual([path.basename(own)]);
  });
});
