import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import sharp from 'sharp';
import { expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { TRAILER_BYTES } from '../../src/frames/proof.js';
import type { EncodedInput } from '../../src/frames/types.js';
import { temporaryFolder } from '../support/temp-folder.js';

const [width, height] = [40, 30];
const picture = sharp({ create: { width, height, channels: 3, background: '#b04020' } });
const jpeg = await picture.clone().jpeg().toBuffer();
const turned = await picture.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer();
const png = await picture.clone().png().toBuffer();
const webp = await picture.clone().webp().toBuffer();
const sixteen = PNG.sync.write(
  Object.assign(new PNG({ width, height }), { data: Buffer.alloc(width * height * 8) }),
  {
    ...{ bitDepth: 16, colorType: 6, inputHasAlpha: true },
  },
);

async function openPool(maxBytes?: number) {
  const pool = new FramePool({
    directory: await temporaryFolder(),
    ...(maxBytes !== undefined && { maxBytes }),
  });
  onTestFinished(() => pool.close());
  const place = await pool.place('workers');
  const send = (image: EncodedInput, hasPillow = true) =>
    pool.send(
      { ...image, decode: 'package' },
      { proof: 'full', hasPillow: () => Promise.resolve(hasPillow) },
    );
  return { pool, place, send };
}

test.each([
  ['JPEG', jpeg],
  ['PNG', png],
  ['JPEG that asks to be turned and is to be left', turned],
])(
  'the bytes of a %s are handed on as a .bin file, counted, and gone after the call',
  async (_title, encoded) => {
    const { pool, place, send } = await openPool();
    const sent = await send({ encoded, orientation: 'ignore' });
    expect(sent).toMatchObject({
      kind: 'bin',
      isDecoded: false,
      descriptor: undefined,
      sizeBytes: encoded.length,
    });
    expect(sent.meta).toMatchObject({ width, height, color_space: 'RGB' });
    expect(sent.proof).toMatchObject({ method: 'crc32', sizeBytes: encoded.length });
    await sent.deliver(place);
    const file = await readFile(path.join(place, `${sent.id}.bin`));
    expect(file.subarray(0, -TRAILER_BYTES)).toEqual(encoded);
    expect(pool.load).toBeGreaterThan(0);
    sent.done();
    await expect.poll(() => readdir(place)).toEqual([]);
    await expect.poll(() => pool.load).toBe(0);
  },
);

test.each<[title: string, image: EncodedInput, code: string, message: RegExp, hasPillow?: boolean]>([
  [
    'for a package without Pillow',
    { encoded: jpeg },
    'unsupported_image',
    /needs Pillow in the package/,
    false,
  ],
  ['that is a WebP', { encoded: webp }, 'invalid_image', /JPEG and PNG alone/],
  [
    'of 16 bits',
    { encoded: sixteen, toEightBits: 'shift' },
    'invalid_image',
    /16 bits a channel, which Pillow cuts off/,
  ],
  [
    'whose channels are to be turned',
    { encoded: png, colorSpace: 'BGR' },
    'invalid_image',
    /does not turn the channels/,
  ],
  ['that asks to be turned', { encoded: turned }, 'invalid_image', /say orientation: 'ignore'/],
  ['of another size', { encoded: png, width: 41 }, 'invalid_image', /leave width and height out/],
  [
    'with a damaged scan',
    { encoded: Buffer.from(jpeg).fill(0, jpeg.indexOf(Buffer.of(0xff, 0xda)) + 14, jpeg.length - 2) },
    'invalid_image',
    /JPEG .*Take or send it again/,
  ],
  [
    'with a wrong checksum',
    { encoded: Buffer.from(png).fill(1, png.length - 20, png.length - 16) },
    'invalid_image',
    /checksum of its IDAT/,
  ],
])(
  'a picture %s is not handed on, and nothing of it is kept',
  async (_title, image, code, message, hasPillow) => {
    const { pool, place, send } = await openPool();
    await expect(send(image, hasPillow)).rejects.toMatchObject({ code, message });
    expect(await readdir(place)).toEqual([]);
    await expect.poll(() => pool.load).toBe(0);
  },
);

test('a picture to be handed on waits for room, and ends with its pool', async () => {
  const { pool, send } = await openPool(jpeg.length + 10);
  const first = await send({ encoded: jpeg });
  const second = send({ encoded: jpeg });
  first.done();
  expect(await second).toMatchObject({ kind: 'bin' });
  const third = send({ encoded: jpeg });
  const refused = expect(third).rejects.toMatchObject({ code: 'closed' });
  await pool.close();
  await refused;
  expect((await second).isLost).toBe(true);
});

test('a decoder that there is not is invalid_image', async () => {
  const { pool } = await openPool();
  await expect(pool.send({ encoded: png, decode: 'worker' as 'host' })).rejects.toMatchObject({
    code: 'invalid_image',
    message: /decode must be 'host' or 'package', not 'worker'/,
  });
});
