import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { npyHeader } from '../../src/frames/npy.js';
import { crc32 } from '../../src/package/crc32.js';
import type { Generation } from '../../src/package/types.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { InspectionRequest, InspectionResult } from '../../src/supervisor/types.js';
import { FakeWorker } from '../../src/testing/index.js';
import type { WorkerFlavour } from '../../src/worker/types.js';
import { phasedSource, READ } from '../support/bundled-worker.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { canLink, IS_WINDOWS, IS_WINE } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const shape = { width: 64, height: 48 };
const full = (value: number) => ({ data: new Uint8Array(64 * 48 * 3).fill(value), ...shape });
const target = { name: 'sample', version: '1.0.0' };
const request = (value: number, more: Partial<InspectionRequest> = {}) =>
  ({ target, stepIndex: 1, image: full(value), ...more }) as InspectionRequest;

async function station(o: {
  source?: string;
  generation?: Generation;
  flavour?: WorkerFlavour;
  mapped?: boolean;
  policy?: Partial<SupervisorPolicy>;
  worker?: FakeWorker;
}) {
  const { mapped = true, flavour: worker = 'sdk', policy } = o;
  const frames = new FramePool({ directory: await temporaryFolder(), mapped });
  onTestFinished(() => frames.close());
  const { registry, supervisor } = await openSupervised({ frames, worker, policy });
  await deployVersion(registry, { source: o.source, generation: o.generation, worker: o.worker });
  const folder = async () => {
    const pool = await frames.open();
    const place = (await readdir(pool)).find((name) => name.endsWith('sample-1.0.0'));
    return path.join(pool, place ?? 'not there');
  };
  return { supervisor, registry, frames, folder };
}

/** Of the first pixel that the algorithm saw. */
const first = ({ data }: InspectionResult) => [(data.debug as { first: number | number[] }).first].flat()[0];

describe.each([
  ['sdk', true],
  ['sdk', false],
  ['bundled', true],
  ['bundled', false],
] as const)('%s worker, memory %s', (flavour, mapped) => {
  test.each(['phased', 'execute-only'] as const)(
    '%s: each result tells what was read',
    async (generation) => {
      const { supervisor } = await station({ flavour, mapped, generation });
      const header = npyHeader(48, 64, 3);
      const pixels = full(3).data;
      const guideImage = { ...full(9), channels: 3 as const };
      const { proof, status } = await supervisor.execute(request(3, { guideImage }));
      expect(status).toBe('OK');
      expect(proof?.by).toBe('worker');
      const samples = 32 * 64; // each of them of pixels that are 3
      expect(proof?.images[0]).toEqual({
        ...{ id: proof?.images[0]?.id, generation: 1, sizeBytes: header.length + pixels.length },
        checksum: crc32(pixels.subarray(0, samples), crc32(header)).toString(16).padStart(8, '0'),
        method: 'sampled',
      });
      expect(proof?.images).toHaveLength(generation === 'phased' ? 1 : 2);
      const again = await supervisor.execute(request(4, { guideImage }));
      expect(again.proof?.images[0]?.generation).toBe(2);
    },
  );

  test.each([
    ['full', 'crc32', (bytes: Buffer) => crc32(bytes).toString(16).padStart(8, '0')],
    ['sha256', 'sha256', (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')],
  ] as const)('%s is a checksum of every byte', async (proof, method, of) => {
    const { supervisor } = await station({ flavour, mapped, policy: { proof } });
    const result = await supervisor.execute(request(3));
    const checksum = of(Buffer.concat([npyHeader(48, 64, 3), full(3).data]));
    expect(result.proof?.images).toEqual([
      expect.objectContaining({ method, checksum, sizeBytes: 128 + 64 * 48 * 3 }),
    ]);
  });

  // 128 bytes of header and 65,408 of pixels: as much as the worker reads in one step.
  test.each([
    [16, 43],
    [128, 511],
    [129, 511],
    [640, 480],
  ])(
    'samples of %i x %i are the same here and there, and those of another picture are not',
    async (width, height) => {
      const { supervisor } = await station({ flavour, mapped });
      const data = Uint8Array.from({ length: width * height }, (_, at) => (at * 7 + (at >> 8)) % 251);
      const image = { data, width, height, channels: 1 as const };
      const one = await supervisor.execute({ target, stepIndex: 1, image });
      expect(one).toMatchObject({ status: 'OK', attempts: 1, proof: { images: [{ method: 'sampled' }] } });
      const other = await supervisor.execute({
        ...{ target, stepIndex: 1 },
        image: { ...image, data: data.map((value) => value + 1) },
      });
      expect(other.proof?.images[0]?.checksum).not.toBe(one.proof?.images[0]?.checksum);
    },
  );

  test('off asks for nothing and tells of nothing', async () => {
    const { supervisor } = await station({ flavour, mapped, policy: { proof: 'off' } });
    const result = await supervisor.execute(request(3));
    expect([result.status, first(result)]).toEqual(['OK', 3]);
    expect(result).not.toHaveProperty('proof');
  });

  test('an algorithm that does not look at its picture has its verdict proven all the same', async () => {
    const { supervisor } = await station({ flavour, mapped, source: phasedSource('return ok()') });
    const { proof } = await supervisor.execute(request(3));
    expect(proof?.images).toHaveLength(1);
  });

  test('a picture saved back under its id, shortened, is the next picture in the next call', async () => {
    const save = `${READ}seen = image[0, 0, 0]
try:
    with open(os.path.join(os.environ["PROC_SHM_DIR"], shared_mem_id + ".npy"), "wb") as file: file.write(b"short")
except OSError: pass  # where the system gives namespaces, the folder is read-only to workers
return ok(first=int(seen))`;
    const { supervisor } = await station({ flavour, mapped, source: phasedSource(save, 'import os') });
    for (const value of [7, 8, 9]) {
      const result = await supervisor.execute(request(value));
      expect([result.status, first(result)]).toEqual(['OK', value]);
    }
  });

  test('what an algorithm wrote by the SDK under an id is not taken for the next picture in that slot', async () => {
    const save = `${READ}seen = image[0, 0, 0]
shared_memory._DEV_SHM = getattr(shared_memory, "_DEV_SHM", {})
shared_memory._DEV_SHM[shared_mem_id] = image
return ok(first=int(seen))`;
    const head = 'from procvision_algorithm_sdk import shared_memory\nshared_memory._DEV_SHM = {}';
    const { supervisor } = await station({ flavour, mapped, source: phasedSource(save, head) });
    for (const value of [7, 8]) expect(first(await supervisor.execute(request(value)))).toBe(value);
  });

  test('a picture that the host has decoded is proven by the host', async () => {
    const { supervisor } = await station({ flavour, mapped, source: phasedSource(`${READ}return ok()`) });
    const png = new PNG({ ...shape });
    png.data.fill(9);
    const encoded = PNG.sync.write(png, { colorType: 2 });
    const { proof, status } = await supervisor.execute(request(0, { image: { encoded, ...shape } }));
    expect([status, proof?.by, proof?.images[0]?.method]).toEqual(['OK', 'host', 'sampled']);
  });

  // Wine takes the limit of a job and does not hold it.
  test.skipIf(IS_WINE)(
    'an allocation beyond addressSpaceBytes is an ERROR that says MemoryError, and the next call is served',
    async () => {
      const body = `${READ}size = user_params["size"]\nreturn ok(first=int(image[0, 0, 0]), size=len(bytearray(size)))`;
      const policy = { retries: 0, resources: { addressSpaceBytes: 2 ** 30 } };
      const { supervisor } = await station({ flavour, mapped, source: phasedSource(body), policy });
      const userParams = (size: number) => ({ userParams: { size } });
      expect(await supervisor.execute(request(7, userParams(2 ** 33)))).toMatchObject({
        ...{ status: 'ERROR', message: 'MemoryError', exception: { type: 'MemoryError' } },
      });
      expect(first(await supervisor.execute(request(8, userParams(1))))).toBe(8);
    },
  );

  // Windows has no limit of open files.
  test.skipIf(IS_WINDOWS)(
    'an ERROR 1007 with the cause, when the algorithm leaves no descriptor to read its picture with',
    async () => {
      const leak = `import os, threading, time
kept = []
def leak():
    while True:
        try: kept.append(os.open(os.devnull, os.O_RDONLY))
        except OSError: time.sleep(0.001)
`;
      const body = `if not kept: threading.Thread(target=leak, daemon=True).start()
try:
    ${READ}except Exception: return ok(first=0)
return ok(first=int(image[0, 0, 0]))`;
      const policy = { retries: 0, resources: { openFiles: 60 } };
      const source = phasedSource(body, leak);
      const { supervisor } = await station({ flavour, mapped, source, policy });
      const results: InspectionResult[] = [];
      await expect
        .poll(async () => {
          // Each of another size: of a slot that the worker has read before it may have kept its memory, and needs no descriptor.
          const size = { width: 64 + results.length, height: 48 };
          const image = { data: new Uint8Array(size.width * 48 * 3).fill(7), ...size };
          results.push(await supervisor.execute(request(7, { image })));
          return results.at(-1)?.errorCode;
        })
        .toBe('1007');
      for (const result of results) {
        if (result.status === 'OK') expect(first(result)).toBe(7);
        else expect(result.message).toMatch(/frame f\d+ cannot be read: OSError: .*Too many open files/);
        expect('proof' in result).toBe(result.status === 'OK');
      }
    },
  );
});

type Damage = [string, (file: string, folder: string) => Promise<unknown>];
/** A worker has the file mapped: Windows keeps its name, and the folder around it, until that ends. */
const REMOVED: Damage[] = [
  ['the folder is removed', (_file, folder) => rm(folder, { recursive: true })],
  ['the folder of the pool is removed', (_file, folder) => rm(path.dirname(folder), { recursive: true })],
  ['the file is a folder', (file) => rm(file).then(() => mkdir(file))],
  [
    'the folder is a file',
    (_file, folder) => rm(folder, { recursive: true }).then(() => writeFile(folder, '')),
  ],
];
const LINK: Damage = ['the file is a link', (file) => rm(file).then(() => symlink('/dev/zero', file))];

describe.each(['sdk', 'bundled'] as const)('as files, %s worker', (flavour) => {
  test.each<Damage>([
    ['the file is removed', (file) => rm(file)],
    ['the file is shortened', (file) => truncate(file, 200)],
    ['the file is emptied', (file) => truncate(file, 0)],
    ['the file is lengthened', (file) => truncate(file, 1 << 20)],
    ['the file is replaced', (file) => rm(file).then(() => writeFile(file, Buffer.alloc(9360)))],
    ['the header is overwritten', (file) => writeFile(file, Buffer.alloc(128), { flag: 'r+' })],
    ...(IS_WINDOWS ? [] : REMOVED),
    ...(canLink() ? [LINK] : []),
    ['the file cannot be read', (file) => chmod(file, 0)],
    ['the folder cannot be entered', (_file, folder) => chmod(folder, 0)],
  ])('%s: the next call is served with its own picture', async (_title, damage) => {
    const { supervisor, folder } = await station({ flavour, mapped: false });
    expect(first(await supervisor.execute(request(7)))).toBe(7);
    const place = await folder();
    const file = path.join(place, 'f1.npy');
    expect((await lstat(file)).isFile()).toBe(true);
    await damage(file, place);
    const result = await supervisor.execute(request(8));
    expect([result.status, first(result)]).toEqual(['OK', 8]);
  });
});

test('deployments have folders of their own, and memory has none', async () => {
  const { supervisor, frames } = await station({ flavour: 'sdk' });
  await supervisor.execute(request(1));
  const pool = await frames.open();
  const marks = ['life', 'owner.json']; // of the host
  expect((await readdir(pool)).filter((name) => !marks.includes(name))).toEqual(['1-sample-1.0.0']);
  expect(await readdir(path.join(pool, '1-sample-1.0.0'))).toEqual([]);
});

describe('what a worker tells', () => {
  test('that hides what it read is no verdict, and one that is asked for nothing is', async () => {
    const worker = new FakeWorker({ hidesPictures: true });
    const { supervisor } = await station({ worker, policy: { retries: 0 } });
    await expect(supervisor.execute(request(1))).rejects.toMatchObject({
      ...{ code: 'frame_missing', errorCode: '1007', retryable: true },
      message: expect.stringContaining('did not tell what it read') as string,
    });
    const off = await station({ worker: new FakeWorker({ hidesPictures: true }), policy: { proof: 'off' } });
    expect(await off.supervisor.execute(request(1))).toMatchObject({ status: 'OK' });
  });

  test.each([
    ['another generation', { generation: 2 }, /generation 2 instead of 1/],
    ['another size', { size: 5 }, /sizeBytes 5 instead of 9344/],
    ['another checksum', { checksum: '00000000' }, /checksum 00000000 instead of/],
    ['another method', { method: 'sha256' }, /method sha256 instead of sampled/],
    ['another picture', { id: 'f9' }, /did not tell what it read/],
  ])('that is of %s is no verdict', async (_title, wrong, message) => {
    const worker = new FakeWorker({ hidesPictures: true });
    const honest = new FakeWorker();
    const { supervisor } = await station({ worker: honest, policy: { retries: 0 } });
    const { proof } = await supervisor.execute(request(1));
    const [image] = proof?.images ?? [];
    const liar = await station({ worker, policy: { retries: 0 } });
    const { id, generation, sizeBytes: size, checksum, method } = image ?? {};
    const read = { id, generation, size, checksum, method };
    const report = (call: string, claim: object) => ({
      ...{ type: 'pictures', request_id: call, pictures: { read: [claim] } },
    });
    worker.answerOnce('execute', (call) => {
      call.process.send(report(call.requestId, { ...read, ...wrong }));
    });
    await expect(liar.supervisor.execute(request(1))).rejects.toMatchObject({
      code: 'frame_missing',
      message,
    });
    worker.answerOnce('execute', (call) => {
      call.process.send(report(call.requestId, { ...read, generation: 2 }));
    });
    expect(await liar.supervisor.execute(request(1))).toMatchObject({ status: 'OK' });
  });

  test('of another call proves nothing', async () => {
    const worker = new FakeWorker({ hidesPictures: true });
    const { supervisor } = await station({ worker, policy: { retries: 0 } });
    const { supervisor: honest } = await station({ worker: new FakeWorker() });
    const { proof } = await honest.execute(request(1));
    worker.answerOnce('execute', (call) => {
      const read = (proof?.images ?? []).map(({ sizeBytes, ...rest }) => ({ ...rest, size: sizeBytes }));
      call.process.send({ type: 'pictures', request_id: 'another', pictures: { read } });
    });
    await expect(supervisor.execute(request(1))).rejects.toMatchObject({ code: 'frame_missing' });
  });

  test('is asked for again: an answer about another picture is not passed on, the next attempt is', async () => {
    const worker = new FakeWorker({ hidesPictures: true });
    const { supervisor } = await station({ worker, policy: { retries: 1 } });
    const { supervisor: honest } = await station({ worker: new FakeWorker() });
    const { proof } = await honest.execute(request(1));
    const read = (proof?.images ?? []).map(({ sizeBytes, ...rest }) => ({ ...rest, size: sizeBytes }));
    worker.answerOnce('execute', {});
    worker.answerOnce('execute', (call) => {
      call.process.send({ type: 'pictures', request_id: call.requestId, pictures: { read } });
    });
    expect(await supervisor.execute(request(1))).toMatchObject({ status: 'OK', attempts: 2 });
  });
});

test.each(['none', 'SAMPLED', 1, null])('policy.proof %s is refused', async (proof) => {
  const { registry } = await openSupervised();
  const { AlgorithmSupervisor } = await import('../../src/supervisor/algorithm-supervisor.js');
  const policy = { proof } as unknown as Partial<SupervisorPolicy>;
  expect(() => new AlgorithmSupervisor({ registry, policy })).toThrow(
    expect.objectContaining({ code: 'invalid_params', message: expect.stringContaining('proof') as string }),
  );
});
