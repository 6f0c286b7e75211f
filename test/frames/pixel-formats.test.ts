import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { pixelsOf } from '../../src/frames/pixels-of.js';
import { formats, rowBytesOf, type PixelFormat } from '../../src/frames/pixels/formats.js';
import type { PixelInput } from '../../src/frames/types.js';
import { compileKernel, KERNELS } from '../support/compile-kernels.js';
import { pictureLibraries, runWithLibraries } from '../support/picture-libraries.js';

const libraries = await pictureLibraries();

/** Bytes that look like nothing, the same at each run. */
function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0, state = seed; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** Noise in the values that a format can have. */
function dataOf(format: PixelFormat, { length, seed }: { length: number; seed: number }): Uint8Array {
  const bytes = noise(length, seed);
  const { bits, kind } = formats().get(format) ?? { bits: 8, kind: 'copy' };
  if (bits > 8 && kind !== 'packed') {
    for (let index = 1; index < length; index += 2)
      bytes[index] = (bytes[index] ?? 0) & (2 ** (bits - 8) - 1);
  }
  return bytes;
}

const rules = ['shift', { min: 17, max: 900 }] as const;
const shapes = [
  {},
  { padding: 5 },
  { padding: 64, bottomUp: true },
  { bottomUp: true },
  { region: { x: 3, y: 5, width: 21, height: 11 } },
  { region: { x: 4, y: 0, width: 8, height: 1 }, padding: 3, bottomUp: true },
  { region: { x: 0, y: 6, width: 1, height: 1 } },
  { region: { x: 63, y: 46, width: 1, height: 1 } },
  { whole: { width: 3, height: 3 } },
  { whole: { width: 4, height: 4 } },
  { whole: { width: 2500, height: 67 } },
];

/** A picture of each format in each shape. */
function cases(): (PixelInput & { title: string; data: Uint8Array })[] {
  return [...formats().values()].flatMap(({ name, bits, kind }, index) =>
    shapes.flatMap(({ padding, whole, ...rest }, shape) =>
      (bits > 8 ? rules : [undefined]).map((toEightBits) => {
        const { width, height } = whole ?? { width: 64, height: 47 };
        const even = kind === 'yuv' ? width + (width % 2) : width;
        const facts = formats().get(name);
        const rowBytes = facts ? rowBytesOf(facts, even) : 0;
        // Of 16 bits whole numbers only, so that the next row begins at one.
        const isLoose = padding !== undefined || (even * (facts?.pixelBits ?? 8)) % 8 !== 0;
        const strideBytes = isLoose ? rowBytes + 2 * (padding ?? 0) : undefined;
        return {
          title: `${name} ${JSON.stringify({ ...rest, padding, whole, toEightBits })}`,
          data: dataOf(name, { length: (strideBytes ?? rowBytes) * height, seed: 100 * index + shape }),
          ...{ width: even, height, pixelFormat: name, strideBytes, toEightBits, ...rest },
        };
      }),
    ),
  );
}

/** NumPy and OpenCV on one thread: each case to RGB or gray by their own functions. */
const REFERENCE = `
import base64, json, sys
import cv2, numpy as np
# OpenCV names a mosaic by the second and third pixel of its second row.
BAYER = {"RG": cv2.COLOR_BayerBG2RGB, "GB": cv2.COLOR_BayerGR2RGB, "GR": cv2.COLOR_BayerGB2RGB, "BG": cv2.COLOR_BayerRG2RGB}

def eight(values, bits, rule):
    if rule in (None, "shift"):
        return (values >> (bits - 8)).astype(np.uint8)
    low, high = rule["min"], rule["max"]
    return np.floor((np.clip(values.astype(np.float64), low, high) - low) * 255 / (high - low) + 0.5).astype(np.uint8)

def rows_of(one):
    data = np.frombuffer(base64.b64decode(one["data"]), np.uint8)
    return data.reshape(one["height"], -1)

def picture(one):
    name, width, height, rule = one["pixelFormat"], one["width"], one["height"], one.get("toEightBits")
    rows = rows_of(one)
    if one.get("bottomUp"):
        rows = rows[::-1]
    if name.endswith("p"):
        bits = int(name[4:-1])
        loose = np.unpackbits(rows, axis=1, bitorder="little")[:, : width * bits].reshape(height, width, bits)
        return eight((loose.astype(np.uint16) << np.arange(bits, dtype=np.uint16)).sum(axis=2, dtype=np.uint16), bits, rule)
    channels = {"RGB8": 3, "BGR8": 3, "RGBa8": 4, "BGRa8": 4, "YUV422_8": 2}.get(name, 1)
    bits = 8 if channels > 1 else int("".join(c for c in name if c.isdigit()))
    size = 2 if bits > 8 else 1
    packed = np.ascontiguousarray(rows[:, : width * channels * size])
    values = packed.view("<u2") if size == 2 else packed
    if name.startswith("Mono"):
        return eight(values, bits, rule)
    if name.startswith("Bayer"):
        return cv2.cvtColor(eight(values, bits, rule), BAYER[name[5:7]])
    values = values.reshape(height, width, channels)
    if name in ("RGB8", "BGR8"):
        return values
    if name == "YUV422_8":
        u, v = np.repeat(values[:, ::2, 1], 2, axis=1), np.repeat(values[:, 1::2, 1], 2, axis=1)
        return cv2.cvtColor(np.dstack([values[:, :, 0], v, u]), cv2.COLOR_YCrCb2RGB)
    return cv2.cvtColor(values, cv2.COLOR_RGBA2RGB if name == "RGBa8" else cv2.COLOR_BGRA2RGB)

cv2.setNumThreads(1)
results = []
for one in json.load(open(sys.argv[1])):
    result = picture(one)
    part = one.get("region")
    if part:
        result = result[part["y"] : part["y"] + part["height"], part["x"] : part["x"] + part["width"]]
    results.append(base64.b64encode(np.ascontiguousarray(result).tobytes()).decode())
print(json.dumps(results))
`;

/** YUV is rounded in two ways; all else is exact. */
const tolerance = (format: string | undefined) => (format === 'YUV422_8' ? 1 : 0);

test.skipIf(!libraries)(
  'each format, whole, padded, bottom-up and in part, becomes what NumPy and OpenCV make of it (skipped without an index for them)',
  async () => {
    const all = cases();
    const input = all.map((one) => ({ ...one, data: Buffer.from(one.data).toString('base64') }));
    const expected = (await runWithLibraries(REFERENCE, input)) as string[];
    const wrong: string[] = [];
    for (const [index, one] of all.entries()) {
      const { data } = await pixelsOf(one);
      const other = Buffer.from(expected[index] ?? '', 'base64');
      const off = data.reduce((most, value, at) => Math.max(most, Math.abs(value - (other[at] ?? 999))), 0);
      if (data.length !== other.length || off > tolerance(one.pixelFormat))
        wrong.push(`${one.title}: off by ${off}`);
    }
    expect(wrong).toEqual([]);
  },
);

test.each(KERNELS)('the compiled loops of $title are those of its source', async (kernel) => {
  const [kept, compiled] = await Promise.all([readFile(kernel.compiled), compileKernel(kernel)]);
  expect(createHash('sha256').update(compiled).digest('hex')).toBe(
    createHash('sha256').update(kept).digest('hex'),
  );
});
