/** Pictures as cameras and files give them, brought into a frame: against a plain copy, OpenCV's own conversion, and sharp alone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { PixelFormat } from '../../src/index.js';
import type { ToEightBits } from '../../src/types.js';
import { pictureLibraries } from '../../test/support/picture-libraries.js';
import type { BenchCase, BenchContext, Contestant } from '../harness/case.js';
import { each, median } from '../harness/statistics.js';

/** Five megapixels. */
const WIDTH = 2448;
const HEIGHT = 2048;
const SHAPE = { width: WIDTH, height: HEIGHT };
const REPEATS = 25;

const perPicture = async (take: () => unknown) => ({ picture: median(await each(REPEATS, take)) });

/** Noise: what is all the same would be quicker to read. */
function noise(length: number, mask = 0xff): Uint8Array {
  let state = 27;
  return Uint8Array.from({ length }, (_, index) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 24) & (index % 2 === 1 ? mask : 0xff);
  });
}

interface Format {
  pixelFormat: PixelFormat;
  bytes: Uint8Array;
  strideBytes?: number;
  toEightBits?: ToEightBits;
}

async function frameOf(context: BenchContext, { bytes, ...how }: Format): Promise<Contestant> {
  const frames = new context.library.main.FramePool();
  context.onClose(() => frames.close());
  const image = { data: bytes, ...SHAPE, ...how };
  await Promise.resolve();
  return { round: () => perPicture(async () => (await frames.send(image)).done()) };
}

/** Into a frame, against a copy of the same bytes in memory. */
function againstCopy(name: string, measures: string, atMost: number, make: () => Format): BenchCase {
  return {
    name: `pictures/${name}`,
    measures,
    figures: { picture: { unit: 'ms' } },
    bars: [{ figure: 'picture', contestant: 'ours', over: 'plain copy', atMost }],
    rounds: 15,
    open(context) {
      const format = make();
      const target = new Uint8Array(format.bytes.length);
      return Promise.resolve({
        ours: () => frameOf(context, format),
        'plain copy': () => ({ round: () => perPicture(() => target.set(format.bytes)) }),
      });
    },
  };
}

const OPENCV = `
import json, os, statistics, sys, time
import cv2, numpy as np
cv2.setNumThreads(1)
width, height, kind, repeats = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
rng = np.random.default_rng(27)
mosaic = rng.integers(0, 256, (height, width), np.uint8)
packed = rng.integers(0, 256, (height, width * 3 // 2), np.uint8)
out = np.empty((height, width, 3), np.uint8)
gray = np.empty((height, width), np.uint8)

def bayer():
    cv2.cvtColor(mosaic, cv2.COLOR_BayerBG2RGB, dst=out)

def mono12p():
    # OpenCV has no kernel for packed pixels: its own arithmetic over the three planes, to the upper 8 bits.
    three = packed.reshape(height, -1, 3)
    first, second, third = cv2.split(three)
    low = np.left_shift(second, 4)
    gray[:, 0::2] = cv2.bitwise_or(np.right_shift(first, 4), low)
    gray[:, 1::2] = third

work = {"bayer": bayer, "mono12p": mono12p}[kind]
for line in sys.stdin:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    print(statistics.median(times), flush=True)
`;

/** A process that converts so many pictures for each line it gets, and answers with the median in milliseconds. */
async function openCv(context: BenchContext, kind: string): Promise<Contestant> {
  const libraries = await pictureLibraries();
  if (libraries === undefined)
    throw new Error('OpenCV cannot be installed here: there is no index of packages');
  const args = ['-c', OPENCV, String(WIDTH), String(HEIGHT), kind, String(REPEATS)];
  const child = spawn('python3', args, {
    env: { ...process.env, PYTHONPATH: libraries },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const close = async () => {
    if (child.exitCode !== null) return;
    child.stdin.end();
    await once(child, 'exit');
  };
  context.onClose(close);
  return {
    round: async () => {
      child.stdin.write('\n');
      const next = await lines.next();
      return { picture: Number(next.value as string) };
    },
    close,
  };
}

function againstOpenCv(name: string, measures: string, kind: string, make: () => Format): BenchCase {
  return {
    name: `pictures/${name}`,
    measures,
    figures: { picture: { unit: 'ms' } },
    bars: [{ figure: 'picture', contestant: 'ours', over: 'OpenCV, one thread', atMost: 1.5 }],
    rounds: 15,
    open(context) {
      return Promise.resolve({
        ours: () => frameOf(context, make()),
        'OpenCV, one thread': () => openCv(context, kind),
      });
    },
  };
}

const jpeg: BenchCase = {
  name: 'pictures/jpeg',
  measures: 'A JPEG of 5 megapixels decoded by sharp into a frame, and by sharp alone into a buffer',
  figures: { picture: { unit: 'ms' } },
  bars: [{ figure: 'picture', contestant: 'ours', over: 'sharp alone', atMost: 1.15 }],
  rounds: 9,
  async open(context) {
    const { default: sharp } = await import('sharp');
    const raw = { ...SHAPE, channels: 3 as const };
    const soft = await sharp(noise(WIDTH * HEIGHT * 3), { raw })
      .blur(4)
      .raw()
      .toBuffer();
    const encoded = await sharp(soft, { raw }).jpeg({ quality: 90 }).toBuffer();
    const frames = new context.library.main.FramePool();
    context.onClose(() => frames.close());
    const few = async (take: () => Promise<unknown>) => ({ picture: median(await each(7, take)) });
    return {
      ours: () => ({ round: () => few(async () => (await frames.send({ encoded })).done()) }),
      'sharp alone': () => ({ round: () => few(() => sharp(encoded).raw().toBuffer()) }),
    };
  },
};

const PADDED = WIDTH * 3 + 64;

export const cases: BenchCase[] = [
  againstCopy('mono8', 'Mono8 of 5 megapixels to a frame, and a plain copy of its bytes', 1, () => ({
    ...{ pixelFormat: 'Mono8' as const, bytes: noise(WIDTH * HEIGHT) },
  })),
  againstCopy('bgra8', 'BGRa8 of 5 megapixels to a frame, and a plain copy of its bytes', 1.6, () => ({
    ...{ pixelFormat: 'BGRa8' as const, bytes: noise(WIDTH * HEIGHT * 4) },
  })),
  againstCopy('padded', 'Padded RGB8 of 5 megapixels to a frame, and a plain copy of its bytes', 1.6, () => ({
    ...{ pixelFormat: 'RGB8' as const, strideBytes: PADDED, bytes: noise(PADDED * HEIGHT) },
  })),
  againstOpenCv('bayer', 'BayerRG8 of 5 megapixels to a frame, and by OpenCV into an array', 'bayer', () => ({
    ...{ pixelFormat: 'BayerRG8' as const, bytes: noise(WIDTH * HEIGHT) },
  })),
  againstOpenCv(
    'mono12p',
    'Mono12p of 5 megapixels to a frame, and by OpenCV into an array',
    'mono12p',
    () => ({
      ...{ pixelFormat: 'Mono12p' as const, bytes: noise((WIDTH * HEIGHT * 3) / 2), toEightBits: 'shift' },
    }),
  ),
  jpeg,
];
