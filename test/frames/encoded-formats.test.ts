import { openAsBlob } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { TRAILER_BYTES } from '../../src/frames/proof.js';
import type { ImageInput } from '../../src/frames/types.js';
import { makePictureFiles } from '../support/picture-files.js';
import { pictureLibraries } from '../support/picture-libraries.js';
import { temporaryFolder } from '../support/temp-folder.js';

const libraries = await pictureLibraries();

async function openPool(sharp?: boolean): Promise<FramePool> {
  const pool = new FramePool({ directory: await temporaryFolder(), sharp });
  onTestFinished(() => pool.close());
  return pool;
}

/** Shape and pixels as an algorithm gets them, in RGB; the reason where the picture is refused. */
async function outcomeOf(pool: FramePool, image: ImageInput, folder: string) {
  try {
    const sent = await pool.send(image);
    await sent.deliver(folder);
    const file = (await readFile(path.join(folder, `${sent.id}.npy`))).subarray(0, -TRAILER_BYTES);
    const start = 10 + file.readUInt16LE(8);
    sent.done();
    const shape = (/\((\d+[^)]*)\)/.exec(file.toString('latin1', 10, start))?.[1] ?? '')
      .split(', ')
      .map(Number);
    const pixels = Buffer.from(file.subarray(start));
    if (sent.meta.color_space === 'BGR') {
      for (let at = 0; at < pixels.length; at += 3) pixels.subarray(at, at + 3).reverse();
    }
    return { shape, pixels };
  } catch (error) {
    return { code: (error as { code?: string }).code, message: (error as Error).message };
  }
}

test.skipIf(!libraries).each([
  ['sharp', true],
  ['the decoders of this library', false],
])(
  'pictures of every format and kind are, by %s, the pixels that NumPy has, or refused (skipped without an index for NumPy)',
  async (_title, sharp) => {
    const folder = path.join(await temporaryFolder(), 'pictures');
    await mkdir(folder);
    const pool = await openPool(sharp);
    const place = await pool.place('reader');
    const wrong: unknown[] = [];
    for (const { title, file, options, shape, pixels, fault } of await makePictureFiles(folder)) {
      const found = await outcomeOf(pool, { file, ...options }, place);
      const isForSharp = !sharp && /^(TIFF|WebP)/.test(title) && fault === undefined;
      const expected = isForSharp ? 'optional package sharp' : fault;
      if ('message' in found) {
        if (expected === undefined || !new RegExp(expected).test(String(found.message)))
          wrong.push({ title, ...found });
        continue;
      }
      const isSame = found.pixels.equals(pixels) && String(found.shape) === String(shape);
      if (expected !== undefined || !isSame)
        wrong.push({ title, expected: fault ?? shape, found: found.shape });
    }
    expect(wrong.filter((one) => !(!sharp && (one as { title: string }).title.includes('cut off')))).toEqual(
      [],
    );
  },
);

test('a picture is taken by its path, as bytes and as a Blob alike', async () => {
  const own = path.join(await temporaryFolder(), 'own.bmp');
  // 2 x 2 pixels of 24 bits, each row padded to 8 bytes.
  const bmp = Buffer.alloc(54 + 16);
  bmp.write('BM');
  bmp.writeUInt32LE(54, 10);
  bmp.writeUInt32LE(40, 14);
  bmp.writeInt32LE(2, 18);
  bmp.writeInt32LE(2, 22);
  bmp.writeUInt16LE(1, 26);
  bmp.writeUInt16LE(24, 28);
  bmp.set([7, 8, 9, 10, 11, 12, 0, 0, 1, 2, 3, 4, 5, 6], 54);
  await writeFile(own, bmp);
  const pool = await openPool();
  const place = await pool.place('reader');
  const expected = { shape: [2, 2, 3], pixels: Buffer.of(3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10) };
  for (const image of [{ file: own }, { encoded: bmp }, { encoded: await openAsBlob(own) }]) {
    expect(await outcomeOf(pool, image, place)).toEqual(expected);
  }
});

test.each([
  ['a file that is not there', { file: '/nowhere/p.png' }, /cannot be read: ENOENT/, '/nowhere/p.png'],
  ['a folder', { file: '/' }, /is not a file|EISDIR/, '/'],
  ['a path that is none', { file: 7 as unknown as string }, /must be the path/, 'file'],
  ['bytes that are a text', { encoded: 'x' as unknown as Blob }, /Uint8Array or a Blob/, 'encoded'],
  [
    'an orientation that there is not',
    { encoded: Buffer.alloc(1), orientation: 'up' as 'apply' },
    /'apply' or 'ignore'/,
    'orientation',
  ],
])('%s is invalid_image', async (_title, image, message, field) => {
  const pool = await openPool();
  await expect(pool.send(image)).rejects.toMatchObject({
    code: 'invalid_image',
    message,
    details: { path: field },
  });
});
