import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { ImageInput, PixelFormat } from '../../src/index.js';
import { record, replay, shadow } from '../../src/recording/index.js';
import type { Registry } from '../../src/registry/registry.js';
import { crc32 } from '../../src/package/crc32.js';
import { buildPackage, sampleAlgorithm } from '../../src/testing/index.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { temporaryRunner } from '../support/open-runner.js';
import { temporaryFolder } from '../support/temp-folder.js';

const WIDTH = 5;
const HEIGHT = 3;

/** An algorithm that answers with the kind, the shape and the values of what it got. */
const source = sampleAlgorithm({
  generation: 'phased',
  name: 'wide',
  version: '1',
  productIds: ['A'],
}).replace(
  'def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):\n        image = read_image_from_shared_memory(shared_mem_id, image_meta)\n',
  `def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        image = memoryview(read_image_from_shared_memory(shared_mem_id, image_meta))
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": {
            "format": image.format, "shape": list(image.shape), "values": image.tolist(), "meta": image_meta}}}

    def unused(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        image = None
`,
);

async function deployWide(registry: Registry, version: string, imageFormats?: string[]) {
  const entry = await deployVersion(registry, { name: 'wide', version, productIds: ['A'], source });
  await registry.register({ ...entry, ...(imageFormats && { image_formats: imageFormats }) });
}

interface Seen {
  format: string;
  shape: number[];
  values: unknown[];
  meta: Record<string, unknown>;
}

const values = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, index) => 4000 - 250 * index);
const rows = (list: ArrayLike<number>) =>
  Array.from({ length: HEIGHT }, (_, row) => Array.from(list).slice(row * WIDTH, (row + 1) * WIDTH));

/** The values of each row, two in three bytes. */
function packed12(list: Uint16Array): Uint8Array {
  const bits = [...list].map((value) => BigInt(value)).reduceRight((sum, value) => (sum << 12n) | value, 0n);
  return Uint8Array.from({ length: Math.ceil((list.length * 12) / 8) }, (_, index) =>
    Number((bits >> BigInt(8 * index)) & 0xffn),
  );
}

function gray16Png(): Promise<Buffer> {
  const raw = { width: WIDTH, height: HEIGHT, channels: 1 as const };
  return sharp(values, { raw }).toColourspace('grey16').png().toBuffer();
}

/** The same PNG with an eXIf chunk behind its header. */
function withOrientation(png: Buffer, orientation: number): Buffer {
  const exif = Buffer.from(`4d4d002a0000000800010112000300000001000${orientation}000000000000`, 'hex');
  const chunk = Buffer.concat([Buffer.alloc(4), Buffer.from('eXIf'), exif, Buffer.alloc(4)]);
  chunk.writeUInt32BE(exif.length, 0);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]);
}

/** A TIFF of 16-bit gray, little-endian, in one strip: sharp writes none. */
function tiffOf(orientation: number): Buffer {
  const fields = [
    [256, 3, WIDTH],
    [257, 3, HEIGHT],
    [258, 3, 16],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 8 + 2 + 12 * 10 + 4],
    [274, 3, orientation],
    [277, 3, 1],
    [278, 3, HEIGHT],
    [279, 4, 2 * WIDTH * HEIGHT],
  ] as const;
  const head = Buffer.alloc(8 + 2 + 12 * fields.length + 4);
  head.write('II*\0', 'latin1');
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(fields.length, 8);
  fields.forEach(([tag, type, value], index) => {
    const at = 10 + 12 * index;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(1, at + 4);
    head.writeUInt32LE(value, at + 8);
  });
  return Buffer.concat([head, new Uint8Array(values.buffer)]);
}

function supervised(worker: 'sdk' | 'bundled', mapped = true) {
  return async () => {
    const frames = new FramePool({ mapped });
    const opened = await openSupervised({ worker, frames });
    // Before the store is removed, in which its files may be: Windows removes no file that is open.
    onTestFinished(() => opened.supervisor.close().then(() => frames.close()));
    const ask = async (image: ImageInput, version = '1') => {
      const target = { name: 'wide', version };
      const { data, proof } = await opened.supervisor.execute({
        productId: 'A',
        target,
        stepIndex: 1,
        image,
      });
      return { ...(data.debug as Seen), proof };
    };
    return { ...opened, frames, ask };
  };
}

const mono12 = { data: values, width: WIDTH, height: HEIGHT, pixelFormat: 'Mono12' } as const;

describe.each([
  ['memory', true],
  ['files', false],
])(
  'a version with Mono16 in its image_formats gets uint16 under the bundled worker, by %s',
  (_title, mapped) => {
    const open = supervised('bundled', mapped);

    test('with shape, dtype, format and bits in image_meta, with and without a rule', async () => {
      const { registry, ask } = await open();
      await deployWide(registry, '1', ['Mono16']);
      for (const toEightBits of [undefined, 'shift'] as const) {
        const { meta, proof, ...seen } = await ask({ ...mono12, toEightBits });
        expect(seen).toEqual({ format: 'H', shape: [HEIGHT, WIDTH], values: rows(values) });
        expect(meta).toMatchObject({
          ...{ width: WIDTH, height: HEIGHT, dtype: 'uint16', shape: [HEIGHT, WIDTH] },
          ...{ pixel_format: 'Mono12', bits: 12 },
        });
        expect(proof?.images).toMatchObject([{ sizeBytes: 128 + 2 * WIDTH * HEIGHT }]);
      }
    });

    test('from packed, padded and cut-out pixels, from Mono16, and from a frame that was leased for it', async () => {
      const { registry, ask, frames } = await open();
      await deployWide(registry, '1', ['Mono16']);
      const padded = new Uint16Array(HEIGHT * 8);
      for (let row = 0; row < HEIGHT; row++) {
        padded.set(values.subarray(row * WIDTH, (row + 1) * WIDTH), row * 8);
      }
      const full = values.map((value) => value * 16 + 7);
      const line = { width: WIDTH * HEIGHT, height: 1 };
      const given: [ImageInput, unknown[]][] = [
        [{ ...mono12, data: padded, strideBytes: 16 }, rows(values)],
        [
          { ...mono12, region: { x: 1, y: 1, width: 2, height: 2 } },
          rows(values)
            .slice(1)
            .map((row) => row.slice(1, 3)),
        ],
        [{ ...mono12, bottomUp: true }, rows(values).reverse()],
        [{ ...mono12, ...line, data: packed12(values), pixelFormat: 'Mono12p' }, [[...values]]],
        [{ ...mono12, data: full, pixelFormat: 'Mono16' }, rows(full)],
      ];
      for (const [image, expected] of given) expect((await ask(image)).values).toEqual(expected);
      for (const pixelFormat of ['Mono12', 'Mono16'] as const) {
        const frame = await frames.lease({ width: WIDTH, height: HEIGHT, pixelFormat });
        expect(frame.pixels.length).toBe(2 * WIDTH * HEIGHT);
        frame.pixels.set(new Uint8Array(values.buffer));
        expect(await ask(frame)).toMatchObject({ values: rows(values), meta: { pixel_format: pixelFormat } });
        frame.release();
      }
    });

    test('from a PNG and a TIFF of 16 bits, turned as they ask for', async () => {
      const { registry, ask } = await open();
      await deployWide(registry, '1', ['Mono16']);
      const folder = await temporaryFolder();
      const png = await gray16Png();
      for (const [name, make] of [
        ['gray.png', (orientation: number) => withOrientation(png, orientation)],
        ['gray.tiff', tiffOf],
      ] as const) {
        const file = path.join(folder, name);
        await writeFile(file, make(1));
        expect(await ask({ file })).toMatchObject({
          values: rows(values),
          meta: { pixel_format: 'Mono16', bits: 16 },
        });
        await writeFile(file, make(3));
        expect((await ask({ file })).values).toEqual(rows(values.slice().reverse()));
        expect((await ask({ file, orientation: 'ignore' })).values).toEqual(rows(values));
      }
    });
  },
);

test('values that have more bits than their format are refused there too', async () => {
  const { registry, ask } = await supervised('bundled')();
  await deployWide(registry, '1', ['Mono10']);
  await expect(ask({ ...mono12, pixelFormat: 'Mono10' })).rejects.toMatchObject({
    code: 'invalid_image',
    message: expect.stringContaining('Mono10 has values of 0 to 1023') as string,
  });
});

describe('a version that does not take 16 bits gets 8 by the rule, and without a rule nothing', () => {
  const eight = rows(values.map((value) => value >> 4)).map((row) =>
    row.map((value) => [value, value, value]),
  );

  test.each<[title: string, worker: 'sdk' | 'bundled', imageFormats: string[] | undefined]>([
    ['under the SDK worker, whatever its manifest says', 'sdk', ['Mono16']],
    ['under the bundled worker without image_formats', 'bundled', undefined],
    ['under the bundled worker with another format', 'bundled', ['Mono10', 'mono12', 'jpeg']],
  ])('%s', async (_title, worker, imageFormats) => {
    const { registry, ask, frames } = await supervised(worker)();
    await deployWide(registry, '1', imageFormats);
    const { meta, ...seen } = await ask({ ...mono12, toEightBits: 'shift' });
    expect(seen).toMatchObject({ format: 'B', shape: [HEIGHT, WIDTH, 3], values: eight });
    expect(Object.keys(meta)).not.toContain('dtype');
    const refusal = {
      code: 'invalid_image',
      details: { path: 'toEightBits' },
      message: expect.stringMatching(/Mono1[26].*image_formats.*toEightBits: 'shift'/) as string,
    };
    await expect(ask(mono12)).rejects.toMatchObject(refusal);
    const frame = await frames.lease({ width: WIDTH, height: HEIGHT, pixelFormat: 'Mono16' });
    frame.pixels.fill(1);
    await expect(ask(frame)).rejects.toMatchObject(refusal);
    frame.release();
    const encoded = await gray16Png();
    await expect(ask({ encoded })).rejects.toMatchObject(refusal);
  });

  test.each<PixelFormat>(['BayerRG12'])(
    '%s needs a rule everywhere: it is demosaiced with 8 bits',
    async (pixelFormat) => {
      const { registry, ask } = await supervised('bundled')();
      await deployWide(registry, '1', ['Mono16', pixelFormat]);
      await expect(ask({ ...mono12, pixelFormat })).rejects.toMatchObject({
        details: { path: 'toEightBits' },
      });
      expect((await ask({ ...mono12, pixelFormat, toEightBits: 'shift' })).shape).toEqual([HEIGHT, WIDTH, 3]);
    },
  );
});

test('a shadow that does not take 16 bits is given no such picture', async () => {
  const { registry, supervisor } = await supervised('bundled')();
  await deployWide(registry, '1', ['Mono16']);
  await deployWide(registry, '2');
  await registry.activate({ name: 'wide', version: '1', productIds: ['A'] });
  const candidate = await shadow(supervisor, { name: 'wide', version: '2' });
  await supervisor.execute({ productId: 'A', stepIndex: 1, image: mono12 });
  await supervisor.execute({
    productId: 'A',
    stepIndex: 1,
    image: { ...mono12, data: new Uint8Array(15), pixelFormat: 'Mono8' },
  });
  expect(await candidate.stop()).toMatchObject({ compared: 1, skipped: 1 });
});

test('a shadow that takes 16 bits is given no picture that was made one of 8 for the version that serves', async () => {
  const { registry, supervisor } = await supervised('bundled')();
  await deployWide(registry, '1');
  await deployWide(registry, '2', ['Mono12']);
  await registry.activate({ name: 'wide', version: '1', productIds: ['A'] });
  const candidate = await shadow(supervisor, { name: 'wide', version: '2' });
  const gray = { ...mono12, data: new Uint8Array(15), pixelFormat: 'Mono8' } as const;
  for (const image of [mono12, gray])
    await supervisor.execute({ productId: 'A', stepIndex: 1, image: { ...image, toEightBits: 'shift' } });
  expect(await candidate.stop()).toMatchObject({ compared: 1, skipped: 1 });
});

test('a call that fails at a canary of 8 bits is answered by the mapped version on the 16 bits that it takes', async () => {
  const { registry, supervisor, frames } = await supervised('bundled')();
  await deployWide(registry, '1', ['Mono16']);
  const failing = source.replace(
    'image = memoryview(',
    'raise ValueError("no")\n        image = memoryview(',
  );
  await deployVersion(registry, { name: 'wide', version: '2', productIds: ['A'], source: failing });
  await registry.activate({ name: 'wide', version: '1', productIds: ['A'] });
  const probation = { calls: 1_000_000, minCalls: 1_000_000, durationMs: 3_600_000 };
  await supervisor.switch({ name: 'wide', version: '2', productIds: ['A'], share: 0.999, probation });
  const frame = await frames.lease({
    width: WIDTH,
    height: HEIGHT,
    pixelFormat: 'Mono12',
    toEightBits: 'shift',
  });
  frame.pixels.set(new Uint8Array(values.buffer));
  const eight = rows(values.map((value) => value >> 4)).map((row) =>
    row.map((value) => [value, value, value]),
  );
  const given: [ImageInput, unknown][] = [
    [{ ...mono12, toEightBits: 'shift' }, rows(values)],
    [{ encoded: await gray16Png(), toEightBits: 'shift' }, rows(values)],
    [frame, eight], // of 8 bits since it was leased
  ];
  for (const [image, expected] of given) {
    const { version, fellBackFrom, data } = await supervisor.execute({ productId: 'A', stepIndex: 1, image });
    expect([version, fellBackFrom?.version]).toEqual(['1', '2']);
    expect((data.debug as Seen).values).toEqual(expected);
  }
  frame.release();
});

test('a recording keeps values of 16 bits, and replays them', async () => {
  const { registry, supervisor } = await supervised('bundled')();
  await deployWide(registry, '1', ['Mono16']);
  await registry.activate({ name: 'wide', version: '1', productIds: ['A'] });
  const directory = path.join(await temporaryFolder(), 'recording');
  const recording = await record(supervisor, { directory });
  await supervisor.execute({ productId: 'A', stepIndex: 1, image: mono12 });
  await recording.stop();
  const seen: unknown[] = [];
  supervisor.on('result', ({ result }) => seen.push((result.data.debug as Seen).values));
  const report = await replay(supervisor, { directory, name: 'wide', version: '1' });
  expect(report).toMatchObject({ compared: 1, failed: 0 });
  expect(seen).toEqual([rows(values)]);
  await deployWide(registry, '2');
  const narrow = { directory, name: 'wide', version: '2' };
  expect(await replay(supervisor, narrow)).toMatchObject({ compared: 0, failed: 1 });
  expect(await replay(supervisor, { ...narrow, toEightBits: 'shift' })).toMatchObject({ compared: 1 });
  expect(seen.at(-1)).toEqual(
    rows(values.map((value) => value >> 4)).map((row) => row.map((value) => [value, value, value])),
  );
  const wrong = replay(supervisor, { ...narrow, toEightBits: { min: 9, max: 5 } });
  await expect(wrong).rejects.toMatchObject({ code: 'invalid_image' });
});

test.each([
  ['Mono10', 1, 1],
  ['Mono12', 1, 1],
  ['Mono16', 1, 1],
  ['Mono10p', 7, 3],
  ['Mono12p', 5, 3],
] as const)(
  'a recording of %s is replayed in that format, with its bits: to a version that takes it alone',
  async (pixelFormat, width, height) => {
    const { registry, supervisor } = await supervised('bundled')();
    await deployWide(registry, '1', [pixelFormat]);
    await registry.activate({ name: 'wide', version: '1', productIds: ['A'] });
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    const bits = Number(/\d+/.exec(pixelFormat)?.[0]);
    const isPacked = pixelFormat.endsWith('p');
    const strideBytes = Math.ceil((width * (isPacked ? bits : 16)) / 8);
    // Any bits make values of a packed format; of the others the upper ones are to be 0.
    const data = Uint8Array.from({ length: strideBytes * height }, (_, index) =>
      isPacked ? 37 * index + 201 : 1,
    );
    const seen: unknown[] = [];
    supervisor.on('result', ({ result }) => {
      const { values: got, meta } = result.data.debug as Seen;
      seen.push({ got, format: meta.pixel_format, bits: meta.bits });
    });
    const image = { data, width, height, pixelFormat, strideBytes };
    await supervisor.execute({ productId: 'A', stepIndex: 1, image });
    await recording.stop();
    expect(await replay(supervisor, { directory, name: 'wide', version: '1' })).toMatchObject({
      compared: 1,
    });
    expect(seen).toEqual([seen[0], seen[0]]);
    expect(seen[0]).toMatchObject({ format: pixelFormat, bits });
  },
);

test('image_formats of a manifest come to the registry with the install, and a list of other things is refused', async () => {
  const { runner } = await temporaryRunner();
  const entry = await runner.ensureInstalled(
    await buildPackage({ name: 'wide', manifest: { image_formats: ['Mono12', 'Mono16'] } }),
  );
  expect(entry.image_formats).toEqual(['Mono12', 'Mono16']);
  const faulty = await buildPackage({ name: 'faulty', manifest: { image_formats: 'Mono16' } });
  await expect(runner.ensureInstalled(faulty)).rejects.toMatchObject({ code: 'manifest_invalid' });
});
