import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { TRAILER_BYTES } from '../../src/frames/proof.js';
import { temporaryFolder as folderOfKit } from '../../src/testing/temporary-folder.js';
import { pictureLibraries } from '../support/picture-libraries.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { magickFiles } from './magick-files.js';
import { makeBases, type Picture } from './pictures.js';
import { pythonFiles, truthsOf } from './python-files.js';
import { sharpFiles } from './sharp-files.js';

const libraries = await pictureLibraries();
const bases = makeBases();
let pictures: Picture[] = [];
let truths: Awaited<ReturnType<typeof truthsOf>> = [];
let folder = '';
let temporary: Awaited<ReturnType<typeof folderOfKit>> | undefined;

/** Differences of one are allowed where a decoder rounds: colours of JPEG, WebP and a palette that was made anew. */
const tolerance = ({ truth }: Picture) => ('decodedBy' in truth ? 1 : 0);

async function outcomeOf(pool: FramePool, { file, options }: Picture, place: string) {
  try {
    const sent = await pool.send({ file: path.join(folder, file), ...options });
    await sent.deliver(place);
    const content = (await readFile(path.join(place, `${sent.id}.npy`))).subarray(0, -TRAILER_BYTES);
    const start = 10 + content.readUInt16LE(8);
    const shape = (/\((\d+[^)]*)\)/.exec(content.toString('latin1', 10, start))?.[1] ?? '')
      .split(', ')
      .map(Number);
    const pixels = Buffer.from(content.subarray(start));
    sent.done();
    if (sent.meta.color_space === 'BGR')
      for (let at = 0; at < pixels.length; at += 3) pixels.subarray(at, at + 3).reverse();
    return { shape, pixels };
  } catch (error) {
    return { message: (error as Error).message };
  }
}

/** The largest difference; gray counts as three channels that are alike. */
function differenceOf(
  found: { shape: number[]; pixels: Buffer },
  truth: { shape: number[]; pixels: Buffer },
): number {
  const [height, width, channels = 1] = found.shape;
  const [tall, wide, others = 1] = truth.shape;
  if (height !== tall || width !== wide || (channels !== others && others !== 3 && channels !== 3))
    return Infinity;
  let most = 0;
  for (let pixel = 0; pixel < (height ?? 0) * (width ?? 0); pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      const ours = found.pixels[channels === 1 ? pixel : 3 * pixel + channel] ?? 0;
      const theirs = truth.pixels[others === 1 ? pixel : 3 * pixel + channel] ?? 0;
      most = Math.max(most, Math.abs(ours - theirs));
    }
  }
  return most;
}

describe.skipIf(!libraries)(
  'pictures that tools have written (skipped without an index for Pillow, OpenCV and NumPy)',
  () => {
    beforeAll(async () => {
      temporary = await folderOfKit();
      folder = temporary.path;
      pictures = [
        ...(await sharpFiles(folder, bases)),
        ...(await magickFiles(folder, bases)),
        ...(await pythonFiles(folder, bases)),
      ];
      truths = await truthsOf(folder, bases, pictures);
      const counts = new Map<string, number>();
      for (const { tool } of pictures) counts.set(tool, (counts.get(tool) ?? 0) + 1);
      process.stdout.write(`${pictures.length} pictures: ${JSON.stringify(Object.fromEntries(counts))}\n`);
    });

    afterAll(() => temporary?.[Symbol.asyncDispose]());

    test('there are 300 at least, of each tool some', () => {
      expect(pictures.length).toBeGreaterThanOrEqual(300);
      expect(new Set(pictures.map(({ tool }) => tool))).toEqual(
        new Set(['sharp', 'ImageMagick', 'pillow', 'opencv']),
      );
    });

    test.each([true, false])('each is right or refused with its reason, with sharp: %s', async (sharp) => {
      const pool = new FramePool({ directory: await temporaryFolder(), sharp });
      onTestFinished(() => pool.close());
      const place = await pool.place('reader');
      const wrong: unknown[] = [];
      let right = 0;
      for (const [index, picture] of pictures.entries()) {
        const { tool, title, truth } = picture;
        const found = await outcomeOf(pool, picture, place);
        const needsSharp = !sharp && /TIFF|WebP/.test(title) && !('fault' in truth);
        const fault = needsSharp
          ? 'optional package sharp|toEightBits'
          : 'fault' in truth
            ? truth.fault
            : undefined;
        const expected = truths[index];
        const difference = 'message' in found || !expected ? undefined : differenceOf(found, expected);
        const isRight =
          'message' in found
            ? fault !== undefined && new RegExp(fault).test(String(found.message))
            : fault === undefined && difference !== undefined && difference <= tolerance(picture);
        if (isRight) right++;
        else
          wrong.push({
            tool,
            title,
            expected: fault ?? expected?.shape,
            ...found,
            pixels: undefined,
            difference,
          });
      }
      process.stdout.write(`${right} right or refused as they should be\n`);
      expect(wrong).toEqual([]);
    });
  },
);
