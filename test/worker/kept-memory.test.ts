import { readdir, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { KeptMemory } from '../../src/worker/kept-memory.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';

describe('places for memory at a worker', () => {
  const kept = () => KeptMemory.of(['kept_memory']) ?? expect.fail('it keeps none');

  test('a worker that tells of none has none', () => {
    expect(KeptMemory.of(['batch'])).toBeUndefined();
  });

  test('memory that was handed over is found at its place until it is forgotten', () => {
    const [places, memory] = [kept(), {}];
    expect(places.placeOf(memory, 1)).toMatchObject({ number: 0, isNew: true });
    const second = places.placeOf(memory, 1); // the first was not handed over yet
    expect(second).toMatchObject({ number: 1, isNew: true });
    places.put(second, memory);
    expect(places.placeOf(memory, 1)).toMatchObject({ number: 1, isNew: false });
    places.forget();
    expect(places.placeOf(memory, 1).isNew).toBe(true);
  });

  test('a place that is given to other memory is that of nothing until that was handed over', () => {
    const places = kept();
    const all = Array.from({ length: 16 }, () => ({}));
    for (const memory of all) places.put(places.placeOf(memory, 1), memory);
    const [first = {}, second = {}] = all;
    expect(places.placeOf({}, 1)).toMatchObject({ number: 0, isNew: true });
    expect(places.placeOf(first, 1).isNew).toBe(true);
    expect(places.placeOf(second, 1).isNew).toBe(true); // its place is now that of the first
  });

  test('memory that is handed over when its place was given to other memory is not found there', () => {
    const [places, memory, other] = [kept(), {}, {}];
    const early = places.placeOf(memory, 1);
    for (let n = 0; n < 15; n++) places.placeOf({}, 1);
    const late = places.placeOf(other, 1);
    expect(late.number).toBe(early.number);
    places.put(early, memory);
    expect(places.placeOf(memory, 1).isNew).toBe(true);
    places.put(late, other);
    expect(places.placeOf(other, 1)).toMatchObject({ number: 0, isNew: false });
  });

  test('memory that was not used for 32 calls is handed over anew, also when calls with it were not sent', () => {
    const [places, memory] = [kept(), {}];
    places.put(places.placeOf(memory, 1), memory);
    for (let n = 0; n < 31; n++) places.begin();
    places.put(places.placeOf(memory, 1), memory);
    for (let n = 0; n < 31; n++) places.begin();
    expect(places.placeOf(memory, 1).isNew).toBe(false);
    places.begin();
    expect(places.placeOf(memory, 1).isNew).toBe(true);
  });
});

const LARGE = 1 << 24;

test('large memory gets no more places than it has room for, and small memory gets the others', () => {
  const places = KeptMemory.of(['kept_memory']) ?? expect.fail('it keeps none');
  const numbers = (count: number, bytes: number) =>
    Array.from({ length: count }, () => places.placeOf({}, bytes).number);
  expect(numbers(6, LARGE)).toEqual([0, 1, 2, 3, 0, 1]);
  expect(numbers(4, 1)).toEqual([2, 3, 4, 5]);
  expect(numbers(3, 100 * LARGE)).toEqual([0, 1, 0]);
});

const ALGORITHM = `import os
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

def exchange_memory():
    numbers = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if "memfd:" in os.readlink("/proc/self/fd/" + name):
                numbers.append(int(name))
        except OSError:
            pass
    copies = [os.dup(number) for number in numbers]
    for copy, number in zip(copies, numbers[1:] + numbers[:1]):
        os.dup2(copy, number)
        os.close(copy)

own = []

def first_numbers():
    # A mapping has a later number of its own for the same memory, which Python closes with it.
    numbers = {}
    for number in sorted(int(name) for name in os.listdir("/proc/self/fd")):
        try:
            link = os.readlink("/proc/self/fd/%d" % number)
        except OSError:
            continue
        if "memfd:" in link:
            numbers.setdefault(link, number)
    return numbers.values()

def close_memory():
    for name in os.listdir("/proc/self/fd"):
        try:
            if "memfd:" in os.readlink("/proc/self/fd/" + name):
                os.close(int(name))
        except OSError:
            pass

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *args):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        picture = read_image_from_shared_memory(shared_mem_id, image_meta)
        value = int(picture[0, 0, 0])
        if user_params.get("write"):
            memoryview(picture).cast("B")[:] = b"\\xff" * (64 * 64 * 3)
        if user_params.get("close"):
            close_memory()
        if user_params.get("close_and_open"):
            for number in first_numbers():
                os.close(number)
                own.append(open(__file__))
        for file in own:
            file.seek(0)
            file.read(1)
        if user_params.get("exchange"):
            exchange_memory()
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": value}}
`;

/** Of a version with this policy; `frames` are of the pool that it takes them from. */
async function open(policy: object) {
  const pool = new FramePool();
  onTestFinished(() => pool.close());
  const { registry, supervisor } = await openSupervised({ worker: 'bundled', frames: pool, policy });
  await deployVersion(registry, { source: ALGORITHM });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await supervisor.start('sample', '1.0.0');
  const frames = (count: number) =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const frame = await pool.lease({ width: 64, height: 64 });
        onTestFinished(() => frame.release());
        return frame;
      }),
    );
  type Frame = Awaited<ReturnType<typeof frames>>[number];
  const look = async (image: Frame, value: number, userParams = {}) => {
    image.pixels.fill(value);
    return supervisor.execute({ productId: 'A01', stepIndex: 1, image, userParams });
  };
  /** Descriptors of memory that the worker has open. */
  const held = async () => {
    const folder = `/proc/${supervisor.status()[0]?.workers[0]?.processId ?? 0}/fd`;
    const links = (await readdir(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => ''));
    return (await Promise.all(links)).filter((link) => link.includes('memfd:')).length;
  };
  return { supervisor, frames, look, held };
}

const isLinux = process.platform === 'linux';

test.runIf(isLinux).each(['sampled', 'off'] as const)(
  'frames that come again and again, more than there are places, have each the verdict on what is in them, proof %s',
  async (proof) => {
    const { frames, look, held } = await open({ proof });
    const all = await frames(20);
    for (let n = 0; n < 300; n++) {
      const at = n < 100 ? n % 3 : (n * 7 + (n >> 4)) % all.length;
      const frame = all[at] ?? expect.fail('no frame');
      const { data, attempts } = await look(frame, (n * 31) % 251, { write: n % 11 === 0 });
      expect([data.debug, attempts]).toEqual([(n * 31) % 251, 1]);
      if (n === 99) expect(await held()).toBeLessThanOrEqual(6); // a mapping has one of its own
    }
    expect(await held()).toBeLessThanOrEqual(16 + 9); // places, and mappings after a call
  },
);

test.runIf(isLinux)('memory that the algorithm has closed is handed over anew', async () => {
  const { frames, look } = await open({ proof: 'sampled' });
  const [frame = expect.fail('no frame')] = await frames(1);
  expect((await look(frame, 1)).data.debug).toBe(1);
  expect((await look(frame, 2, { close: true })).data.debug).toBe(2);
  expect(await look(frame, 3)).toMatchObject({ status: 'OK', data: { debug: 3 }, attempts: 2 });
  expect(await look(frame, 4)).toMatchObject({ status: 'OK', data: { debug: 4 }, attempts: 1 });
});

test.runIf(isLinux).each(['close', 'close_and_open'])(
  'a worker whose algorithm has closed its memory lives on when that is forgotten, and closes nothing else: %s',
  async (how) => {
    const limits = { heartbeatIntervalMs: 200, heartbeatGraceMs: 5_000 };
    const { frames, look, supervisor } = await open({ limits, retries: 1 });
    const [one = expect.fail(), two = expect.fail()] = await frames(2);
    const { processId } = supervisor.status()[0]?.workers[0] ?? {};
    expect((await look(one, 1)).data.debug).toBe(1);
    expect((await look(two, 2, { [how]: true })).data.debug).toBe(2);
    await sleep(600); // a heartbeat, between calls
    expect(await look(one, 3)).toMatchObject({ status: 'OK', data: { debug: 3 } });
    for (let n = 0; n < 140; n++) expect((await look(two, n)).data.debug).toBe(n);
    expect(supervisor.status()[0]?.workers[0]).toMatchObject({ processId, restarts: 0 });
  },
);

test.runIf(isLinux).each(['sampled', 'off'] as const)(
  'memory whose number the algorithm gave to that of another frame is handed over anew, proof %s',
  async (proof) => {
    const { frames, look } = await open({ proof });
    const [one = expect.fail(), two = expect.fail()] = await frames(2);
    for (let n = 0; n < 6; n++) {
      const write = n % 2 === 0;
      expect((await look(one, 10 + n, { write })).data.debug).toBe(10 + n);
      expect((await look(two, 20 + n, { write, exchange: true })).data.debug).toBe(20 + n);
      expect((await look(one, 30 + n, { write })).data.debug).toBe(30 + n);
    }
  },
);

test.runIf(isLinux)('a worker that has nothing to do holds no memory', async () => {
  const limits = { heartbeatIntervalMs: 200, heartbeatGraceMs: 5_000 };
  const { frames, look, held } = await open({ limits });
  const [frame = expect.fail('no frame')] = await frames(1);
  expect((await look(frame, 1)).data.debug).toBe(1);
  await expect.poll(held).toBe(0);
  expect(await look(frame, 2)).toMatchObject({ data: { debug: 2 }, attempts: 1 });
});

test.runIf(isLinux)('one frame in several calls of a message is judged in each', async () => {
  const { supervisor, frames } = await open({ proof: 'off' });
  const [one = expect.fail(), two = expect.fail()] = await frames(2);
  one.pixels.fill(1);
  two.pixels.fill(2);
  const requests = [one, one, two, one, two, two, one].map((image) => ({
    ...{ productId: 'A01', stepIndex: 1, image },
  }));
  for (let n = 0; n < 5; n++) {
    const results = await supervisor.executeMany(requests);
    expect(results.map(({ data }) => data.debug)).toEqual([1, 1, 2, 1, 2, 2, 1]);
  }
});
