import { execFile } from 'node:child_process';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { FramePool, type FramePoolOptions } from '../../src/frames/frame-pool.js';
import { loadMemoryCalls } from '../../src/frames/memory-calls.js';
import { npyHeader } from '../../src/frames/npy.js';
import { TRAILER_BYTES } from '../../src/frames/proof.js';
import type { SentImage } from '../../src/frames/types.js';
import { IS_WINDOWS } from '../support/platform.js';
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

/** What a worker opens: the file, or the memory that it is handed; without the trailer. */
async function fileOf(sent: SentImage, pool: FramePool): Promise<string> {
  const folder = await pool.place('reader');
  await sent.deliver(folder);
  const file = path.join(folder, `${sent.id}.${sent.kind}`);
  const content = await readFile(sent.descriptor === undefined ? file : `/proc/self/fd/${sent.descriptor}`);
  expect(content).toEqual(await readFile(file));
  const bare = path.join(folder, 'bare');
  await writeFile(bare, content.subarray(0, content.length - TRAILER_BYTES));
  return bare;
}

const meta = { width: 3, height: 2 };
const pixels = Uint8Array.from({ length: 18 }, (_, index) => index + 1);

describe.each([
  ['mapped', true],
  ['written through the file', false],
])('%s', (_title, mapped) => {
  test.runIf(process.platform === 'linux')('(and the pool says so)', async () => {
    const pool = await openPool({ mapped, directory: '/dev/shm' });
    expect((await pool.usage()).mapped).toBe(mapped);
  });

  test('a frame filled in place is a valid .npy file with those pixels', async () => {
    const pool = await openPool({ mapped });
    const frame = await pool.lease(meta);
    frame.pixels.set(pixels);
    const sent = await pool.send(frame);
    const read = await readNpy(await fileOf(sent, pool));
    expect(read).toEqual({ shape: [2, 3, 3], pixels: [...pixels], offset: 128 });
    expect(sent.meta).toMatchObject({ width: 3, height: 2, color_space: 'RGB' });
  });

  test('an image that is handed over is copied in once, one channel as (H, W)', async () => {
    const pool = await openPool({ mapped });
    const sent = await pool.send({ data: pixels.subarray(0, 6), ...meta, channels: 1, colorSpace: 'BGR' });
    const read = await readNpy(await fileOf(sent, pool));
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

  test('nothing new is made for each image: one slot, one inode, through a hundred of them', async () => {
    const pool = await openPool({ mapped });
    const place = await pool.place('reader');
    const inodes = new Set<number>();
    for (let image = 0; image < 100; image++) {
      const sent = await pool.send({ data: pixels.map(() => image), ...meta });
      expect(sent.id).toBe('f1');
      const { descriptor } = sent;
      const file = descriptor === undefined ? path.join(place, 'f1.npy') : `/proc/self/fd/${descriptor}`;
      if (descriptor === undefined) await sent.deliver(place);
      inodes.add((await stat(file)).ino);
      expect((await readFile(file)).subarray(128, 146)).toEqual(Buffer.alloc(18, image));
      sent.done();
    }
    if (!IS_WINDOWS) expect(inodes.size).toBe(1); // there a new file takes the place of one that may be mapped
    const life = IS_WINDOWS ? [] : ['life']; // there the sign of life is a named pipe
    expect((await readdir(await pool.open())).sort()).toEqual(['1-reader', ...life, 'owner.json']);
    expect(await readdir(place)).toEqual(mapped && !IS_WINDOWS ? [] : ['f1.npy']);
  });

  test('nothing can be done with a frame after close, and what was kept of it is harmless', async () => {
    const pool = await openPool({ mapped });
    const [touched, untouched, filled, sent] = await Promise.all([
      pool.lease(meta),
      pool.lease(meta),
      pool.lease(meta),
      pool.lease(meta),
    ]);
    const kept = [touched, filled, sent].map((frame) => frame.pixels.fill(5));
    const call = await pool.send(sent);
    expect(call.isLost).toBe(false);
    await pool.close();
    expect(call.isLost).toBe(true);
    for (const view of kept) view[0] = 6;
    for (const frame of [touched, untouched]) {
      expect(() => frame.pixels).toThrow(expect.objectContaining({ code: 'closed' }));
    }
    await expect(pool.send(filled)).rejects.toMatchObject({ code: 'closed' });
    touched.release();
    expect(() => touched.release()).toThrow(expect.objectContaining({ code: 'frame_released' }));
    call.done();
  });

  test('an image that is being sent while the pool is closed is not said to be there', async () => {
    const pool = await openPool({ mapped });
    const data = new Uint8Array(1 << 22);
    const image = { data, width: 1 << 11, height: 1 << 11, channels: 1 as const };
    await pool.open();
    const sending = Promise.allSettled([1, 2, 3].map(() => pool.send(image)));
    await pool.close();
    for (const one of await sending) {
      expect(one.status === 'rejected' ? one.reason : one.value).toMatchObject(
        one.status === 'rejected' ? { code: 'closed' } : { isLost: true },
      );
    }
  });
});

test.each<[string, () => Promise<unknown>]>([
  ['is not installed', () => Promise.reject(new Error("Cannot find package 'koffi'"))],
  [
    'is of another system',
    () =>
      Promise.resolve({
        default: {
          load: () => {
            throw new Error('no such library');
          },
        },
      }),
  ],
  ['cannot do it', () => Promise.resolve({ load: () => ({}) })],
])('where koffi %s frames are written through their files', async (_title, load) => {
  expect(await loadMemoryCalls('linux', load)).toBeUndefined();
});

// Windows has no mmap.
test.skipIf(IS_WINDOWS)('a second copy of the library in one process has the calls too', async () => {
  expect(await loadMemoryCalls('linux')).toBeDefined();
  vi.resetModules();
  const copy = await import('../../src/frames/memory-calls.js');
  expect(copy.loadMemoryCalls).not.toBe(loadMemoryCalls);
  expect(await copy.loadMemoryCalls('linux')).toBeDefined();
});

test('where there is no mmap koffi is not even looked for', async () => {
  for (const platform of ['win32', 'darwin'] as const) {
    const load = () => Promise.reject(new Error('asked for'));
    expect(await loadMemoryCalls(platform, load)).toBeUndefined();
  }
});

test.each([
  ['x64', true],
  ['arm64', true],
  ['riscv64', true],
  // 32 bits: an offset of mmap is shorter.
  ['arm', false],
  ['ia32', false],
  // Other numbers of the constants.
  ['mips64el' as NodeJS.Architecture, false],
] as const)('on Linux on %s koffi is looked for: %s', async (arch, isLookedFor) => {
  let isAsked = false;
  await loadMemoryCalls('linux', () => Promise.reject(new Error(String((isAsked = true)))), arch);
  expect(isAsked).toBe(isLookedFor);
});

test.skipIf(process.platform !== 'linux')(
  'koffi brings a binary for glibc and one for musl, also for arm64',
  async () => {
    const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('koffi')), '..', '@koromix');
    const own = await readdir(path.join(folder, `koffi-linux-${process.arch}`));
    expect(own).toEqual(expect.arrayContaining([`linux_${process.arch}`, `musl_${process.arch}`]));
    const { optionalDependencies } = JSON.parse(
      await readFile(path.join(folder, '..', 'koffi', 'package.json'), 'utf8'),
    ) as { optionalDependencies: Record<string, string> };
    expect(optionalDependencies).toHaveProperty(['@koromix/koffi-linux-arm64']);
  },
);

test('a frame whose pixels the host has transferred away is refused, and its slot is good for the next', async () => {
  const pool = await openPool({ mapped: false });
  const frame = await pool.lease(meta);
  frame.pixels.fill(7);
  structuredClone(frame.pixels, { transfer: [frame.pixels.buffer as ArrayBuffer] });
  await expect(pool.send(frame)).rejects.toMatchObject({ code: 'invalid_image', message: /transferred/ });
  frame.release();
  const next = await pool.lease(meta);
  expect([next.id, next.pixels.length]).toEqual([frame.id, 18]);
});

test('300 frames that are leased at once are all there', async () => {
  const pool = await openPool();
  const frames = await Promise.all(Array.from({ length: 300 }, () => pool.lease(meta)));
  expect(new Set(frames.map(({ id }) => id)).size).toBe(300);
  expect((await pool.usage()).slots).toBe(300);
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

  test.each([0, -1, 1.5, NaN, Infinity])('cannot be made with a bound of %s bytes', (maxBytes) => {
    expect(() => new FramePool({ maxBytes })).toThrow(expect.objectContaining({ code: 'invalid_params' }));
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
  [
    'too few bytes',
    { data: pixels.subarray(1), ...meta },
    /18 bytes, and data is a Uint8Array of 17: it is too short/,
  ],
  ['no width', { data: pixels, width: 0, height: 2 }, /width/],
  ['half a pixel', { data: pixels, width: 1.5, height: 4 }, /width/],
  ['four channels', { data: pixels, ...meta, channels: 4 as 3 }, /channels/],
  [
    'a byte for each pixel',
    { data: pixels.subarray(0, 6), ...meta },
    /is this Mono8 of 3 x 2\? then pixelFormat: 'Mono8'/,
  ],
  [
    'four bytes for each pixel',
    { data: new Uint8Array(24), ...meta },
    /is this RGBa8 of 3 x 2\? then pixelFormat: 'RGBa8', or 'BGRa8'/,
  ],
  ['numbers of two bytes', { data: new Uint16Array(9), ...meta }, /numbers of 1 byte, as a Uint8Array/],
  ['a time that is none', { data: pixels, ...meta, timestampMs: NaN }, /timestampMs/],
  ['a camera that is a number', { data: pixels, ...meta, cameraId: 7 as unknown as string }, /cameraId/],
])('an image with %s is refused with invalid_image', async (_title, image, message) => {
  const pool = await openPool();
  await expect(pool.send(image)).rejects.toMatchObject({
    code: 'invalid_image',
    message: expect.stringMatching(message) as string,
  });
});

test('a colour space that no worker knows is unsupported_color_space, with those that it may be', async () => {
  const pool = await openPool();
  const image = { data: pixels, ...meta, colorSpace: 'YUV' as 'RGB' };
  await expect(pool.send(image)).rejects.toMatchObject({
    ...{ code: 'unsupported_color_space', errorCode: '1008' },
    message: expect.stringMatching(/must be RGB or BGR, not YUV/) as string,
  });
});

describe('the folder', () => {
  test('that cannot be made is a failure that says where, and the next try may do better', async () => {
    const directory = path.join(await temporaryFolder(), 'frames');
    await writeFile(directory, 'not a folder');
    const pool = new FramePool({ directory });
    await expect(pool.lease(meta)).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining(directory) as string,
    });
    await rm(directory);
    (await pool.lease(meta)).release();
    await pool.close();
    await new FramePool({ directory }).close();
  });

  test('that could not be made does not stand in the way of close', async () => {
    const directory = path.join(await temporaryFolder(), 'frames');
    await writeFile(directory, 'not a folder');
    const pool = new FramePool({ directory });
    const leasing = pool.lease(meta).catch((error: unknown) => error);
    await pool.close();
    expect(await leasing).toMatchObject({ name: 'RunnerError' });
  });

  test('is private and gone after close, and everything is refused from then on', async () => {
    const directory = await temporaryFolder();
    const pool = await openPool({ directory });
    const frame = await pool.lease(meta);
    const folder = await pool.open();
    if (!IS_WINDOWS) expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const kept = frame.pixels;
    await pool.close();
    expect(await readdir(directory)).toEqual([]);
    kept.fill(1); // harmless
    await expect(pool.lease(meta)).rejects.toMatchObject({ code: 'closed' });
    await expect(pool.send({ data: pixels, ...meta })).rejects.toMatchObject({ code: 'closed' });
  });
});
