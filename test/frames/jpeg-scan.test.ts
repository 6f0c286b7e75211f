import fc from 'fast-check';
import sharp, { type JpegOptions } from 'sharp';
import { describe, expect, test } from 'vitest';
import { checkScans } from '../../src/frames/decoding/jpeg-scan.mjs';
import { FramePool } from '../../src/frames/frame-pool.js';
import { JPEG_SAMPLES } from '../support/jpeg-samples.js';
import { checkScans as checkInJavaScript } from '../support/scans-in-javascript/jpeg-scan.mjs';
import { temporaryFolder } from '../support/temp-folder.js';

const [width, height] = [203, 154];

/** Soft noise, so that every kind of code is in it. */
async function pixels(): Promise<Buffer> {
  let state = 27;
  const noise = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
  return sharp(noise, { raw: { width, height, channels: 3 } })
    .blur(1.2)
    .raw()
    .toBuffer();
}

const KINDS: readonly [title: string, options: JpegOptions, isGray?: boolean][] = [
  ['4:2:0', { quality: 85 }],
  ['4:4:4 of the best quality', { quality: 100, chromaSubsampling: '4:4:4' }],
  ['progressive, 4:4:4', { quality: 40, progressive: true, chromaSubsampling: '4:4:4' }],
  ['tables of its own, by mozjpeg', { quality: 75, mozjpeg: true }],
  ['gray', { quality: 92 }, true],
];
const soft = await pixels();
const made = await Promise.all(
  KINDS.map(async ([title, options, isGray]) => {
    const picture = sharp(soft, { raw: { width, height, channels: 3 } }).jpeg(options);
    return { title, bytes: await (isGray ? picture.toColourspace('b-w') : picture).toBuffer() };
  }),
);
const whole = [
  ...made,
  ...JPEG_SAMPLES.map(({ title, base64 }) => ({ title, bytes: Buffer.from(base64, 'base64') })),
];

/** The file without padding that is not needed, or undefined where it is damaged. */
function outcomeOf(check: (image: Uint8Array) => Uint8Array, bytes: Uint8Array): Buffer | undefined {
  try {
    return Buffer.from(check(bytes));
  } catch (error) {
    if (error instanceof RangeError || (error as Error).constructor.name === 'Damage') return undefined;
    throw error;
  }
}

type Damage = (bytes: Buffer, from: number, length: number, value: number) => Uint8Array;
const after = (bytes: Buffer, from: number, length: number) =>
  bytes.subarray(Math.min(from + length, bytes.length));
const damages: Record<string, Damage> = {
  'overwritten by zeros': (bytes, from, length) =>
    Buffer.from(bytes).fill(0, from, Math.min(from + length, bytes.length)),
  'overwritten by ones': (bytes, from, length) =>
    Buffer.from(bytes).fill(255, from, Math.min(from + (length % 8), bytes.length)),
  'a byte changed': (bytes, from, _, value) =>
    Buffer.concat([bytes.subarray(0, from), Buffer.of(value), after(bytes, from, 1)]),
  'a bit changed': (bytes, from, length) => {
    const copy = Buffer.from(bytes);
    copy[from] = (copy[from] ?? 0) ^ (1 << (length % 8));
    return copy;
  },
  'cut off': (bytes, from) => bytes.subarray(0, from),
  'bytes left out': (bytes, from, length) =>
    Buffer.concat([bytes.subarray(0, from), after(bytes, from, length)]),
  'bytes twice': (bytes, from, length) =>
    Buffer.concat([bytes.subarray(0, from + length), bytes.subarray(from)]),
  'other bytes from within': (bytes, from, length, value) => {
    const copy = Buffer.from(bytes);
    bytes.copy(
      copy,
      from,
      bytes.length - Math.min(bytes.length, 2 + value * 8),
      bytes.length - Math.min(value, length),
    );
    return copy;
  },
};

describe('the compiled check of scans', () => {
  test.each(whole)('takes a JPEG $title, and gives it as the check in JavaScript does', ({ bytes }) => {
    const found = outcomeOf(checkScans, bytes);
    expect(found).toBeDefined();
    expect(found).toEqual(outcomeOf(checkInJavaScript, bytes));
  });

  test('refuses a damaged JPEG of any kind where the check in JavaScript refuses it, and no other', () => {
    const picture = fc.constantFrom(...whole);
    const damage = fc.constantFrom(...Object.entries(damages));
    const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
    let refused = 0;
    fc.assert(
      fc.property(
        ...([picture, damage, place, fc.boolean(), fc.integer({ min: 1, max: 240 }), fc.nat(255)] as const),
        ({ bytes }, [, apply], share, isInScan, length, value) => {
          const scan = isInScan ? bytes.indexOf(Buffer.of(0xff, 0xda)) : 2;
          const damaged = apply(bytes, scan + Math.floor((bytes.length - scan) * share), length, value);
          const expected = outcomeOf(checkInJavaScript, damaged);
          if (!expected) refused++;
          expect(outcomeOf(checkScans, damaged)).toEqual(expected);
        },
      ),
      { numRuns: Number(process.env.SCAN_RUNS ?? 500) },
    );
    expect(refused).toBeGreaterThan(100);
  });

  test.each(whole.filter(({ title }) => !title.includes('progressive') && !title.includes('mozjpeg')))(
    'refuses 200 bytes of zeros anywhere in the scan of a JPEG $title',
    ({ bytes }) => {
      const from = bytes.indexOf(Buffer.of(0xff, 0xda)) + 14;
      const places = Array.from({ length: 100 }, (_, index) =>
        Math.floor(from + ((bytes.length - 202 - from) * index) / 99),
      );
      expect(
        places.filter((at) => outcomeOf(checkScans, Buffer.from(bytes).fill(0, at, at + 200)) !== undefined),
      ).toEqual([]);
    },
  );

  test.each([
    [
      'data after its last block',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -2), Buffer.of(0x12, 0x34), bytes.subarray(-2)]),
      /2 bytes too many after byte \d+/,
    ],
    [
      'a quantizer that makes its DC values too large',
      (bytes: Buffer) =>
        Buffer.from(bytes).fill(
          255,
          bytes.indexOf(Buffer.of(0xff, 0xdb)) + 5,
          bytes.indexOf(Buffer.of(0xff, 0xdb)) + 6,
        ),
      /a block that is brighter or darker than can be, at bit \d+ of a scan/,
    ],
    [
      'a restart marker out of its turn',
      (bytes: Buffer) =>
        Buffer.from(bytes).fill(
          0xd3,
          bytes.indexOf(Buffer.of(0xff, 0xd0)) + 1,
          bytes.indexOf(Buffer.of(0xff, 0xd0)) + 2,
        ),
      /lacks the restart marker that is due at byte \d+/,
    ],
    [
      'a Huffman table with more codes than there can be',
      (bytes: Buffer) => {
        const counts = bytes.indexOf(Buffer.of(0xff, 0xc4)) + 5;
        const copy = Buffer.from(bytes);
        [copy[counts], copy[counts + 2]] = [copy[counts + 2] ?? 0, copy[counts] ?? 0]; // five codes of one bit
        return copy;
      },
      /a Huffman table with too many codes/,
    ],
  ])('says of a JPEG that it has %s', (_title, change, message) => {
    const bytes =
      whole.find(({ title }) => title.startsWith('with restart markers'))?.bytes ?? Buffer.alloc(0);
    expect(() => checkScans(change(bytes))).toThrow(message);
  });

  test('takes a picture after a much larger one, and after one that is damaged', async () => {
    const large = await sharp({
      create: {
        width: 1500,
        height: 1000,
        channels: 3,
        background: '#456',
        noise: { type: 'gaussian', mean: 120, sigma: 40 },
      },
    })
      .jpeg({ quality: 90, progressive: true })
      .toBuffer();
    expect(outcomeOf(checkScans, large)).toBeDefined();
    expect(outcomeOf(checkScans, large.subarray(0, large.length / 2))).toBeUndefined();
    for (const { bytes } of whole) expect(outcomeOf(checkScans, bytes)).toBeDefined();
  });
});

test('a JPEG of 12 bits a channel is refused by its header', async () => {
  const twelve = Buffer.from(made[0]?.bytes ?? []);
  const frame = twelve.indexOf(Buffer.of(0xff, 0xc0));
  twelve[frame + 1] = 0xc1; // extended sequential, which may have 12
  twelve[frame + 4] = 12;
  const pool = new FramePool({ directory: await temporaryFolder() });
  await expect(pool.send({ encoded: twelve })).rejects.toMatchObject({
    code: 'invalid_image',
    message: /JPEG of 12 bits a channel, not of 8 bits/,
  });
  await pool.close();
});
