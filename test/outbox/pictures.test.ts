import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { PixelFormat } from '../../src/index.js';
import {
  deliver,
  type InspectedImage,
  type Outbox,
  type PictureRules,
  type ShedFacts,
} from '../../src/outbox/index.js';
import { linkPeer } from '../support/link-peer.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { facts, openOutbox, pictureOf, resultOf } from './support.js';

const width = 64;
const height = 48;

/** A picture of one colour. */
function imageOf(
  color: readonly [number, number, number],
  colorSpace: 'RGB' | 'BGR' = 'RGB',
): InspectedImage {
  const data = new Uint8Array(width * height * 3);
  for (let at = 0; at < data.length; at++) data[at] = color[at % 3] ?? 0;
  return { data, width, height, colorSpace, cameraId: 'left' };
}

async function filesOf(outbox: Outbox): Promise<Buffer[]> {
  const { items } = await outbox.queue.due('pictures');
  return Promise.all(items.map(({ picture }) => readFile(picture?.file ?? '')));
}

async function pixelOf(file: Buffer, left: number, top: number): Promise<number[]> {
  return [...(await sharp(file).extract({ left, top, width: 1, height: 1 }).raw().toBuffer())];
}

test('without rules the picture of an NG verdict is kept as JPEG, and that of an OK verdict is not', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const image = imageOf([200, 100, 50]);
  await outbox.record(resultOf('OK'), { ...facts, image });
  await outbox.record(resultOf('NG'), { ...facts, image });
  const { items } = await outbox.queue.due('pictures');
  expect(items.map(({ body }) => body)).toMatchObject([
    { content_type: 'image/jpeg', width, height, camera_id: 'left', result_status: 'NG', type: 'ng_image' },
  ]);
});

test('of OK pictures the given share is kept, evenly, and a rule of the host goes first', async () => {
  const choose = (_: unknown, { stepIndex }: { stepIndex: number }) => (stepIndex === 9 ? true : undefined);
  const outbox = await openOutbox(await temporaryFolder(), { pictures: { okShare: 0.25, choose } });
  const kept: number[] = [];
  for (let one = 0; one < 12; one++) {
    const before = (await outbox.status()).due.okPictures.records;
    await outbox.record(resultOf(), { ...facts, image: imageOf([one, 0, 0]) });
    if ((await outbox.status()).due.okPictures.records > before) kept.push(one);
  }
  expect(kept).toEqual([3, 7, 11]);
  await outbox.record(resultOf(), { ...facts, stepIndex: 9, image: imageOf([99, 0, 0]) });
  expect((await outbox.status()).due.okPictures.records).toBe(4);
});

test.each(['png', 'webp', 'jpeg'] as const)(
  'masked regions are black in the %s file and its thumbnail',
  async (format) => {
    const masks = [
      { x: 0, y: 0, width: 20, height: 20 },
      { x: 60, y: 40, width: 100, height: 100 },
      { x: -5, y: 30, width: 3, height: 3 },
    ];
    const pictures = { format, masks, thumbnail: 32, quality: 95 };
    const outbox = await openOutbox(await temporaryFolder(), { pictures });
    const further = [{ x: 32, y: 24, width: 8, height: 8 }];
    await outbox.record(resultOf('NG'), { ...facts, image: imageOf([200, 100, 50]), masks: further });
    const [whole, small] = await filesOf(outbox);
    if (!whole || !small) throw new Error('two files are expected');
    expect(await sharp(small).metadata()).toMatchObject({ width: 32, height: 24, format });
    for (const [x, y] of [
      [8, 8],
      [62, 44],
      [36, 28],
    ] as const) {
      for (const value of await pixelOf(whole, x, y)) expect(value).toBeLessThan(12);
    }
    for (const value of await pixelOf(small, 4, 4)) expect(value).toBeLessThan(12);
    const [red = 0, green = 0, blue = 0] = await pixelOf(whole, 50, 10);
    expect([Math.abs(red - 200) < 12, Math.abs(green - 100) < 12, Math.abs(blue - 50) < 12]).toEqual([
      true,
      true,
      true,
    ]);
  },
);

test('BGR pixels give the same file as RGB pixels of the same colour', async () => {
  const outbox = await openOutbox(await temporaryFolder(), { pictures: { format: 'png' } });
  await outbox.record(resultOf('NG'), { ...facts, image: imageOf([200, 100, 50]) });
  await outbox.record(resultOf('NG'), { ...facts, image: imageOf([50, 100, 200], 'BGR') });
  const [one, other] = await filesOf(outbox);
  expect(other && one?.equals(other)).toBe(true);
});

/** Pixels of one colour, as a camera gives them. */
const wide = Uint16Array.from({ length: width * height }, () => 0xabc);
test.each<[string, InspectedImage, number[]]>([
  ['BGR8', pixelsIn('BGR8', [50, 100, 200]), [200, 100, 50]],
  ['RGB8', pixelsIn('RGB8', [200, 100, 50]), [200, 100, 50]],
  ['Mono8', pixelsIn('Mono8', [77]), [77, 77, 77]],
  ['BGRa8', pixelsIn('BGRa8', [50, 100, 200, 255]), [200, 100, 50]],
  ['BayerRG8', pixelsIn('BayerRG8', [90]), [90, 90, 90]],
  [
    'Mono12 with a rule',
    { data: wide, width, height, pixelFormat: 'Mono12', toEightBits: 'shift' },
    [0xab, 0xab, 0xab],
  ],
  [
    'a part of BGR8 with padding, last row first',
    {
      ...{ data: padded(), width: 4, height: 2, pixelFormat: 'BGR8', strideBytes: 16, bottomUp: true },
      region: { x: 2, y: 0, width: 2, height: 1 },
    },
    [200, 100, 50],
  ],
])('pixels of %s keep their colours in the file', async (_format, image, color) => {
  const outbox = await openOutbox(await temporaryFolder(), { pictures: { format: 'png' } });
  await outbox.record(resultOf('NG'), { ...facts, image });
  const [file] = await filesOf(outbox);
  if (!file) throw new Error('a file is expected');
  expect([...(await sharp(file).toColourspace('srgb').raw().toBuffer()).subarray(0, 3)]).toEqual(color);
});

function pixelsIn(pixelFormat: PixelFormat, color: number[]): InspectedImage {
  const data = Uint8Array.from(
    { length: width * height * color.length },
    (_, at) => color[at % color.length] ?? 0,
  );
  return { data, width, height, pixelFormat };
}

/** Two rows of four BGR pixels, 4 bytes of padding behind each: the two last ones of the second row in memory have a colour. */
function padded(): Uint8Array {
  const data = new Uint8Array(32);
  data.set([50, 100, 200, 50, 100, 200], 16 + 6);
  return data;
}

test('a format of pixels that is not known is refused with what may be meant, and nothing is recorded', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const image = { data: new Uint8Array(12), width: 2, height: 2, pixelFormat: 'BGR' as 'BGR8' };
  await expect(outbox.record(resultOf('NG'), { ...facts, image })).rejects.toMatchObject({
    code: 'invalid_image',
    message: expect.stringContaining('did you mean BGR8') as string,
  });
  expect((await outbox.status()).recorded).toBe(0);
});

test('a file with metadata and a turn comes out upright, without metadata, with the mask where the inspected picture has it', async () => {
  const encoded = await sharp({ create: { width: 40, height: 20, channels: 3, background: 'white' } })
    .withExif({ IFD0: { Artist: 'a person', Copyright: 'secret' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
  const outbox = await openOutbox(await temporaryFolder(), { pictures: { format: 'png' } });
  const masks = [{ x: 0, y: 0, width: 10, height: 10 }];
  await outbox.record(resultOf('NG'), { ...facts, image: { encoded }, masks });
  const [file] = await filesOf(outbox);
  if (!file) throw new Error('a file is expected');
  const about = await sharp(file).metadata();
  expect(about).toMatchObject({ width: 20, height: 40 });
  expect([about.exif, about.iptc, about.xmp, about.orientation]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(await pixelOf(file, 5, 5)).toEqual([0, 0, 0]);
  expect(await pixelOf(file, 15, 35)).toEqual([255, 255, 255]);
});

test.each([
  ['of the call', {}, { masks: [{ x: 0, y: 0, width: 10, height: 10 }] }],
  ['of the outbox', { masks: [{ x: 0, y: 0, width: 10, height: 10 }] }, {}],
])(
  'files that are stored as they are, with masks %s, are refused: nothing could be hidden in them',
  async (_of, rules, more) => {
    const outbox = await openOutbox(await temporaryFolder(), { pictures: rules });
    await expect(
      outbox.record(resultOf('NG'), { ...facts, pictures: [pictureOf('a')], ...more }),
    ).rejects.toMatchObject({
      code: 'invalid_params',
      message: expect.stringContaining('image: { encoded }') as string,
    });
    expect(await filesOf(outbox)).toEqual([]);
  },
);

test('a picture that cannot be read is given up and told as such, not as a loss of the disk, and its verdict is kept', async () => {
  const told: ShedFacts[] = [];
  const onShed = (about: ShedFacts) => {
    told.push(about);
    throw new Error('of the host');
  };
  const outbox = await openOutbox(await temporaryFolder(), { onShed, now: () => 1_000 });
  await outbox.record(resultOf('NG'), { ...facts, image: { encoded: Buffer.from('no picture') } });
  await outbox.record(resultOf('NG'), { ...facts, image: { data: new Uint8Array(5), width: 2, height: 2 } });
  const { due, shed, shedBy, lastPictureFault } = await outbox.status();
  expect([due.business.records, due.ngPictures.records, shed.ngPictures.records]).toEqual([2, 0, 2]);
  expect([shedBy.encoding.records, shedBy.disk.records]).toEqual([2, 0]);
  expect(lastPictureFault).toMatchObject({
    at: 1_000,
    reason: expect.stringMatching(/decoded|bytes/) as string,
  });
  expect(told).toMatchObject([
    { reason: 'encoding', priority: 'ngPictures', records: 1, cause: { code: 'invalid_image' } },
    { reason: 'encoding', priority: 'ngPictures', records: 1, cause: { code: 'invalid_image' } },
  ]);
  await outbox.close();
  const again = await openOutbox(outbox.folder);
  const { items } = await again.queue.due('records');
  const sheds = items.flatMap(({ body }) => ('reason' in body ? [body] : []));
  expect(sheds.reduce((sum, { records }) => sum + records, 0)).toBe(2);
  expect(new Set(sheds.map(({ reason }) => reason))).toEqual(new Set(['encoding']));
  expect((await again.status()).shedBy.encoding.records).toBe(2);
});

test('pixels may change once record() was called', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const data = new Uint8Array(width * height * 3).fill(77);
  const recorded = outbox.record(resultOf('NG'), { ...facts, image: { data, width, height } });
  data.fill(1);
  await recorded;
  const [file] = await filesOf(outbox);
  expect(file && (await pixelOf(file, 1, 1))).toEqual([77, 77, 77]);
});

test('a file may change once record() was called', async () => {
  const outbox = await openOutbox(await temporaryFolder());
  const picture = pictureOf('as it was');
  const recorded = outbox.record(resultOf('NG'), { ...facts, pictures: [picture] });
  picture.encoded.fill(1);
  await recorded;
  expect((await filesOf(outbox)).map(String)).toEqual(['as it was']);
});

describe('where sharp is not installed', () => {
  /** The optional packages are looked for from here: only classic-level is there. */
  async function withoutSharp(): Promise<void> {
    const root = await temporaryFolder();
    await mkdir(path.join(root, 'assets', 'worker'), { recursive: true });
    await writeFile(path.join(root, 'assets', 'worker', 'launch.py'), '');
    await mkdir(path.join(root, 'node_modules'));
    linkPeer(root, 'classic-level');
    vi.stubEnv('PROCVISION_ASSETS', path.join(root, 'assets'));
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
  }

  test.each<[string, PictureRules | undefined]>([
    ['without rules', undefined],
    ["with keep 'ng'", { keep: 'ng' }],
    ["with keep 'none' and a rule of the host", { keep: 'none', choose: () => undefined }],
  ])('an outbox %s does not open, and says what to do', async (_with, pictures) => {
    await withoutSharp();
    const folder = await temporaryFolder();
    await expect(openOutbox(folder, pictures && { pictures })).rejects.toMatchObject({
      code: 'invalid_params',
      message: expect.stringMatching(/npm install sharp.*keep: 'none'/) as string,
    });
  });

  test("an outbox with keep 'none' opens, and keeps files that are encoded already", async () => {
    await withoutSharp();
    const outbox = await openOutbox(await temporaryFolder(), { pictures: { keep: 'none' } });
    const image = imageOf([1, 2, 3]);
    await outbox.record(resultOf('NG'), { ...facts, image, pictures: [pictureOf('a file')] });
    const { due, shed } = await outbox.status();
    expect([due.ngPictures.records, shed.ngPictures.records]).toEqual([1, 0]);
  });
});

test('each defect of an NG verdict is cut out beside its picture: masked, within it, each once, and not more than asked for', async () => {
  const outbox = await openOutbox(await temporaryFolder(), {
    pictures: {
      ...{ format: 'png', cutouts: 4, cutoutMargin: 2 },
      masks: [{ x: 0, y: 0, width: 12, height: 48 }],
    },
  });
  const defect_rects = [
    { x: 10, y: 20, width: 5, height: 6 },
    { x: 10.4, y: 20.3, width: 4.2, height: 5.1 }, // the same pixels
    { x: 60, y: 46, width: 50, height: 50 }, // reaches beyond
    { x: 200, y: 200, width: 4, height: 4 }, // outside
    { x: 30, y: 30, width: 3, height: 3 }, // one too many
  ];
  const image = imageOf([200, 100, 50]);
  const data = { result_status: 'NG' as const, ng_reason: 'scratch', defect_rects };
  await outbox.record(resultOf('NG', { data }), { ...facts, image });
  const { items } = await outbox.queue.due('pictures');
  expect(items.map(({ body }) => body)).toMatchObject([
    { type: 'ng_image', width, height },
    { type: 'roi_crop', width: 9, height: 10, camera_id: 'left' },
    { type: 'roi_crop', width: 6, height: 4 },
  ]);
  const [, cutout] = await filesOf(outbox);
  if (!cutout) throw new Error('no cut-out');
  expect(await pixelOf(cutout, 3, 0)).toEqual([0, 0, 0]); // column 11 of the picture
  expect(await pixelOf(cutout, 4, 0)).toEqual([200, 100, 50]);
});

test.each([[null], [[null]], ['none']])(
  'defect_rects %j of an OK part have no cut-outs, and cost neither the picture nor the verdict',
  async (defect_rects) => {
    const outbox = await openOutbox(await temporaryFolder(), { pictures: { keep: 'all', cutouts: 4 } });
    const result = resultOf();
    Object.assign(result.data, { defect_rects });
    await outbox.record(result, { ...facts, image: imageOf([200, 100, 50]) });
    const { due } = await outbox.status();
    expect([due.business.records, due.okPictures.records]).toEqual([1, 1]);
  },
);

test('a thumbnail or a cut-out that is the same file as another is kept once', async () => {
  const pictures = { cutouts: 2, cutoutMargin: 0, thumbnail: 100 };
  const outbox = await openOutbox(await temporaryFolder(), { pictures });
  const size = { width: 8, height: 8 };
  const defect_rects = [
    { x: 0, y: 0, ...size },
    { x: 24, y: 16, ...size },
  ];
  const data = { result_status: 'NG' as const, ng_reason: 'scratch', defect_rects };
  await outbox.record(resultOf('NG', { data }), { ...facts, image: imageOf([200, 100, 50]) });
  const { items } = await outbox.queue.due('pictures');
  expect(items.map(({ body }) => ('type' in body ? body.type : ''))).toEqual(['ng_image', 'roi_crop']);
  expect(new Set(items.map(({ ingestId }) => ingestId)).size).toBe(2);
});

test('a receiver can tell a thumbnail from its whole picture by the id, and of pictures with equal bytes each has its own', async () => {
  const outbox = await openOutbox(await temporaryFolder(), { pictures: { thumbnail: 32 } });
  const twice = [pictureOf('equal', 'roi_crop'), pictureOf('equal', 'roi_crop')];
  const { ingestId } = await outbox.record(resultOf('NG'), {
    ...{ ...facts, image: imageOf([200, 100, 50]) },
    pictures: [...twice, { ...pictureOf('equal'), isThumbnail: true }],
  });
  const { items } = await outbox.queue.due('pictures');
  const digest = (at: number) => items[at]?.picture?.digest.slice(0, 16);
  expect(items.map(({ body }) => ('artifact_id' in body ? body.artifact_id : ''))).toEqual([
    `${ingestId}/${digest(0)}`,
    `${ingestId}/${digest(0)}-2`,
    `${ingestId}/${digest(0)}-thumbnail`,
    `${ingestId}/${digest(3)}`,
    `${ingestId}/${digest(4)}-thumbnail`,
  ]);
  const to = path.join(await temporaryFolder(), 'receiver');
  const delivery = await deliver(outbox, { folder: to });
  onTestFinished(() => delivery.close());
  await expect.poll(async () => (await delivery.status()).sent.pictures).toBe(5);
  const names = (await readdir(path.join(to, 'artifacts'))).sort();
  const told = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(path.join(to, 'artifacts', name), 'utf8')) as object),
  );
  expect(told).toHaveLength(5);
  for (const one of told as { artifact_id: string; is_thumbnail: boolean }[])
    expect(one.is_thumbnail).toBe(one.artifact_id.endsWith('-thumbnail'));
});
