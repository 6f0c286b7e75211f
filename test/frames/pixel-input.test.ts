import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { TRAILER_BYTES } from '../../src/frames/proof.js';
import type { PixelInput, SentImage } from '../../src/frames/types.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function openPool(): Promise<FramePool> {
  const pool = new FramePool({ directory: await temporaryFolder() });
  onTestFinished(() => pool.close());
  return pool;
}

/** Shape and pixels as a worker finds them. */
async function found(pool: FramePool, sent: SentImage) {
  const place = await pool.place('reader');
  await sent.deliver(place);
  const file = (await readFile(path.join(place, `${sent.id}.npy`))).subarray(0, -TRAILER_BYTES);
  const start = 10 + file.readUInt16LE(8);
  sent.done();
  const shape = /\(\d+[^)]*\)/.exec(file.toString('latin1', 10, start))?.[0];
  return { shape, pixels: [...file.subarray(start)] };
}

test.each<[string, PixelInput, string, number[]]>([
  [
    'Mono8 from an ArrayBuffer',
    { data: Uint8Array.of(1, 2).buffer, width: 2, height: 1, pixelFormat: 'Mono8' },
    '(1, 2)',
    [1, 2],
  ],
  [
    'Mono16 from a Uint16Array that is a part of another',
    {
      data: Uint16Array.of(9, 0x1200, 0x3400).subarray(1),
      width: 2,
      height: 1,
      pixelFormat: 'Mono16',
      toEightBits: 'shift',
    },
    '(1, 2)',
    [0x12, 0x34],
  ],
  [
    'Mono8 from a DataView',
    { data: new DataView(Uint8Array.of(0, 7, 8, 0).buffer, 1, 2), width: 2, height: 1, pixelFormat: 'Mono8' },
    '(1, 2)',
    [7, 8],
  ],
  [
    'RGBa8 from the bytes of a canvas',
    { data: Uint8ClampedArray.of(1, 2, 3, 255, 4, 5, 6, 0), width: 2, height: 1, pixelFormat: 'RGBa8' },
    '(1, 2, 3)',
    [1, 2, 3, 4, 5, 6],
  ],
  [
    'BGRa8 from a Uint32Array',
    { data: Uint32Array.of(0xff010203), width: 1, height: 1, pixelFormat: 'BGRa8' },
    '(1, 1, 3)',
    [1, 2, 3],
  ],
  [
    'Mono8 whose last row ends without padding',
    { data: Uint8Array.of(1, 2, 0, 3, 4), width: 2, height: 2, pixelFormat: 'Mono8', strideBytes: 3 },
    '(2, 2)',
    [1, 2, 3, 4],
  ],
  [
    'a region of RGB8 that is told without a format',
    {
      data: Uint8Array.from({ length: 12 }, (_, i) => i),
      width: 2,
      height: 2,
      region: { x: 1, y: 0, width: 1, height: 2 },
    },
    '(2, 1, 3)',
    [3, 4, 5, 9, 10, 11],
  ],
])('%s', async (_title, image, shape, pixels) => {
  const pool = await openPool();
  const sent = await pool.send(image);
  expect(sent.meta).toMatchObject({
    color_space: 'RGB',
    width: pixels.length / (shape.endsWith('3)') ? 3 : 1) / sent.meta.height,
  });
  expect(await found(pool, sent)).toEqual({ shape, pixels });
});

test('BGR8 is copied as it is, and the worker told of its order', async () => {
  const pool = await openPool();
  const sent = await pool.send({ data: Uint8Array.of(1, 2, 3), width: 1, height: 1, pixelFormat: 'BGR8' });
  expect(sent.meta.color_space).toBe('BGR');
  expect(await found(pool, sent)).toEqual({ shape: '(1, 1, 3)', pixels: [1, 2, 3] });
});

test('a frame leased in the format of a camera is filled in it, and sent as the picture that it is', async () => {
  const pool = await openPool();
  const frame = await pool.lease({
    width: 2,
    height: 2,
    pixelFormat: 'Mono12',
    toEightBits: 'shift',
    strideBytes: 6,
  });
  expect(frame.pixels.length).toBe(12);
  expect(frame.meta).toMatchObject({
    width: 2,
    height: 2,
    channels: 1,
    pixelFormat: 'Mono12',
    strideBytes: 6,
  });
  new Uint16Array(frame.pixels.buffer).set([0x120, 0x340, 0, 0x560, 0x780, 0]);
  const sent = await pool.send(frame);
  expect(await found(pool, sent)).toEqual({ shape: '(2, 2)', pixels: [0x12, 0x34, 0x56, 0x78] });
  new Uint16Array(frame.pixels.buffer).fill(0xff0);
  expect((await found(pool, await pool.send(frame))).pixels).toEqual([255, 255, 255, 255]);
  const kept = frame.pixels;
  frame.release();
  kept.fill(1);
  expect(() => frame.pixels).toThrow(expect.objectContaining({ code: 'frame_released' }));
});

test('a frame in the format of a camera is, to another pool, the pixels that are in it', async () => {
  const [one, other] = [await openPool(), await openPool()];
  const frame = await one.lease({ width: 1, height: 2, pixelFormat: 'BGRa8', bottomUp: true });
  frame.pixels.set([1, 2, 3, 0, 4, 5, 6, 0]);
  expect((await found(other, await other.send(frame))).pixels).toEqual([6, 5, 4, 3, 2, 1]);
});

const four = new Uint8Array(4);
test.each<[string, object, RegExp, string]>([
  [
    'numbers of two bytes that would be Mono16',
    { data: new Uint16Array(307_200), width: 640, height: 480 },
    /Uint16Array of 307,200: is this Mono16 of 640 x 480\? then pixelFormat: 'Mono16'/,
    'data',
  ],
  [
    'padded rows',
    { data: new Uint8Array(2 * 8), width: 2, height: 2 },
    /rows of 8 bytes, of which 6 are pixels of RGB8\? then strideBytes: 8/,
    'data',
  ],
  [
    'what sharp gives',
    { data: four, info: { width: 2, height: 2, channels: 1, format: 'raw', size: 4 } },
    /what sharp gives, \{ data, info \}: hand over \{ data, width: 2, height: 2, pixelFormat: 'Mono8' \}/,
    'info',
  ],
  [
    'what sharp gives as its data',
    { data: { data: four, info: { width: 2, height: 2, channels: 4 } }, width: 2, height: 2 },
    /as sharp and a canvas give it: hand over \{ data, width: 2, height: 2, pixelFormat: 'RGBa8' \}/,
    'data',
  ],
  [
    'a picture in a file format as pixels',
    { data: Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1'), width: 2, height: 2 },
    /data is a Buffer of 8: it begins as a PNG does: .* goes into \{ encoded \}/,
    'data',
  ],
  [
    'rows without the padding that is told',
    { data: new Uint8Array(12), width: 2, height: 2, strideBytes: 8 },
    /right for rows without padding: leave strideBytes out/,
    'data',
  ],
  ['two pictures', { data: new Uint8Array(24), width: 2, height: 2 }, /that is 2 such pictures/, 'data'],
  [
    'a few bytes more',
    { data: new Uint8Array(5000), width: 2, height: 2 },
    /too long by 4,988 bytes/,
    'data',
  ],
  [
    'a text of base64',
    { data: 'AAAA'.repeat(1000), width: 2, height: 2 },
    /not a text of 4,000 letters/,
    'data',
  ],
  ['a list of lists', { data: [[1], [2]], width: 2, height: 2 }, /data\.flat\(Infinity\)/, 'data'],
  [
    'a Buffer as JSON has it',
    { data: Buffer.from([1]).toJSON(), width: 1, height: 1 },
    /a Buffer as JSON has it: Buffer\.from\(data\.data\)/,
    'data',
  ],
  [
    'a Blob as pixels',
    { data: new Blob(['x']), width: 1, height: 1 },
    /not a Blob: .* \{ encoded \}/,
    'data',
  ],
  [
    'four channels',
    { data: four, width: 1, height: 1, channels: 4 },
    /pixelFormat: 'RGBa8' or 'BGRa8'/,
    'channels',
  ],
  [
    'the shape of an array',
    { data: four, shape: [2, 2] },
    /of a shape they are the second and the first/,
    'width',
  ],
  ['the size of a matrix', { data: four, rows: 2, cols: 2 }, /cols are the width, rows the height/, 'width'],
  [
    'pixels and a file',
    { data: four, file: 'a.png', width: 2, height: 2 },
    /has data and file: give one/,
    'image',
  ],
  ['a Promise', Promise.resolve({}), /not a Promise: is an await missing/, 'image'],
  ['bytes alone', Buffer.from([0xff, 0xd8]), /it is a JPEG, which goes into \{ encoded \}/, 'image'],
  ['pixels alone', new Uint8Array(12), /pixels go into \{ data, width, height, pixelFormat \}/, 'image'],
  ['a Blob alone', new Blob(['x']), /a Blob goes into \{ encoded \}/, 'image'],
  ['the bytes of a file as base64', { encoded: Buffer.from('/9j/4AAQSkZJRg') }, /JPEG in base64/, 'encoded'],
  ['a web page', { encoded: Buffer.from('<html>') }, /a text, such as HTML/, 'encoded'],
  ['pixels as a file', { encoded: new Uint8Array(12) }, /Pixels are handed over as \{ data/, 'encoded'],
  ['the path as bytes', { encoded: 'a.png' }, /a path goes into \{ file \}/, 'encoded'],
  [
    'an ArrayBuffer as a file',
    { encoded: new ArrayBuffer(4) },
    /not an ArrayBuffer: new Uint8Array/,
    'encoded',
  ],
  ['a URL as a path', { file: new URL('file:///a.png') }, /fileURLToPath/, 'file'],
  [
    'a list of numbers',
    { data: [1, 2, 3, 4], width: 2, height: 2 },
    /not a list of 4: Uint8Array\.from/,
    'data',
  ],
  ['no size', { data: four }, /width and height must be given/, 'width'],
  [
    'a format that is mistyped',
    { data: four, width: 2, height: 2, pixelFormat: 'mono8' },
    /not known: did you mean Mono8\?/,
    'pixelFormat',
  ],
  [
    "GigE Vision's own packing",
    { data: four, width: 2, height: 1, pixelFormat: 'Mono12Packed' },
    /set the camera to Mono12p/,
    'pixelFormat',
  ],
  [
    '12 bits without a rule',
    { data: four, width: 2, height: 1, pixelFormat: 'Mono12' },
    /say toEightBits: 'shift' \(the lowest 4/,
    'toEightBits',
  ],
  [
    'a rule without a range',
    { data: four, width: 2, height: 1, pixelFormat: 'Mono12', toEightBits: { min: 5, max: 5 } },
    /0 <= min < max/,
    'toEightBits',
  ],
  [
    'a value of 13 bits as Mono12',
    { data: Uint16Array.of(0x1001, 0), width: 2, height: 1, pixelFormat: 'Mono12', toEightBits: 'shift' },
    /values of 0 to 4095, and data has larger ones, which is that of 13 bits/,
    'pixelFormat',
  ],
  [
    'values in the upper 12 of 16 bits as Mono12',
    {
      data: Uint16Array.of(0x8010, 0xfff0),
      width: 2,
      height: 1,
      pixelFormat: 'Mono12',
      toEightBits: { min: 0, max: 4095 },
    },
    /upper 12 of 16 bits: say pixelFormat: 'Mono16'/,
    'pixelFormat',
  ],
  [
    'numbers with a fraction',
    { data: new Float32Array(4), width: 2, height: 2, pixelFormat: 'RGBa8' },
    /numbers with a fraction/,
    'data',
  ],
  [
    'a buffer that ends early',
    { data: new Uint8Array(11), width: 2, height: 2 },
    /12 bytes, and data is a Uint8Array of 11: it is too short/,
    'data',
  ],
  [
    'a stride below a row',
    { data: four, width: 2, height: 2, strideBytes: 5 },
    /at least the 6 bytes/,
    'strideBytes',
  ],
  [
    'rows that end within a byte',
    { data: new Uint8Array(9), width: 3, height: 2, pixelFormat: 'Mono12p', toEightBits: 'shift' },
    /ends within a byte.*strideBytes: 5/,
    'strideBytes',
  ],
  [
    'a region past the edge',
    { data: four, width: 2, height: 2, pixelFormat: 'Mono8', region: { x: 1, y: 0, width: 2, height: 1 } },
    /within the 2 x 2.*1, 0, 2, 1/,
    'region',
  ],
  [
    'an odd width of YUV422_8',
    { data: new Uint8Array(6), width: 3, height: 1, pixelFormat: 'YUV422_8' },
    /in pairs/,
    'width',
  ],
  [
    'a mosaic without neighbours',
    { data: four, width: 2, height: 2, pixelFormat: 'BayerRG8' },
    /3 x 3 pixels at least/,
    'width',
  ],
  [
    'channels that are not those of the format',
    { data: four, width: 2, height: 2, pixelFormat: 'Mono8', channels: 3 },
    /leave channels out/,
    'channels',
  ],
  [
    'an order that is not that of the format',
    { data: new Uint8Array(12), width: 2, height: 2, pixelFormat: 'RGB8', colorSpace: 'BGR' },
    /leave colorSpace out/,
    'colorSpace',
  ],
])(
  '%s is invalid_image, with what was expected, and nothing is leased',
  async (_title, image, message, field) => {
    const pool = await openPool();
    const sending = pool.send(image as PixelInput);
    await expect(sending).rejects.toMatchObject({ code: 'invalid_image', message, details: { path: field } });
    const error = (await sending.catch((thrown: unknown) => thrown)) as Error;
    expect(error.message.length).toBeLessThan(400);
    expect(await pool.usage()).toMatchObject({ slots: expect.any(Number) as number });
  },
);
