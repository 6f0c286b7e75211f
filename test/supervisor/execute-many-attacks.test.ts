import { access, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { crc32 } from '../../src/package/crc32.js';
import { record } from '../../src/recording/index.js';
import { readCall, recordedNumbers } from '../../src/recording/format.js';
import type { ResultFacts, ResultOutbox } from '../../src/supervisor/outbox/result-outbox.js';
import type { PixelInput } from '../../src/frames/types.js';
import type { InspectionRequest, InspectionResult } from '../../src/supervisor/types.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { IS_WINE } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Limit of a call beside one that hangs: the start of the next worker is part of it, which takes Wine seconds. */
const A_CALL_MS = IS_WINE ? 20_000 : 2_500;

/** What becomes of a picture: its third byte. */
const DO = {
  ...{ answer: 0, die: 1, raise: 2, hang: 3, fatal: 4, nan: 5, list: 6, set: 7, verdictless: 8, dieOnce: 9 },
  ...{ slow: 11, hold: 12 },
} as const;
type What = keyof typeof DO;

const ALGORITHM = `import os, time, zlib
import procvision_algorithm_sdk as sdk
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

def look(picture, **seen):
    row = bytes(memoryview(picture).cast("B")[:3])
    number, what = row[0] + 256 * row[1], row[2]
    once = os.environ.get("ATTACK_ONCE", "")
    if what == 1:
        os.kill(os.getpid(), 9)
    if what == 9 and not os.path.exists("%s-%d" % (once, number)):
        open("%s-%d" % (once, number), "w").close()
        os.kill(os.getpid(), 9)
    if what == 2:
        raise ValueError("picture %d" % number)
    if what == 4:
        raise sdk.FatalError("picture %d" % number)
    if what == 3:
        time.sleep(60)
    if what == 11:
        time.sleep(0.04)
    if what == 12:
        open(once + "-held", "w").close()
        while not os.path.exists(once + "-go"):
            time.sleep(0.002)
    if what == 6:
        return ["OK"]
    debug = dict(seen, number=number, crc=zlib.crc32(bytes(memoryview(picture).cast("B"))), worker=os.getpid())
    if what == 5:
        debug["score"] = float("nan")
    if what == 7:
        debug["score"] = {1, 2}
    if what == 8:
        return {"status": "OK", "data": {"result_status": "NG"}}
    return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": debug}}

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return look(read_image_from_shared_memory(shared_mem_id, image_meta), together=1)
`;

const TOGETHER = `${ALGORITHM}
    def execute_batch(self, items):
        answers = []
        for item in items:
            picture = read_image_from_shared_memory(item["shared_mem_id"], item["image_meta"])
            answers.append(dict(look(picture, together=len(items)), item=item["item"]))
        return answers
`;
const KINDS = {
  'the SDK worker': ['sdk', ALGORITHM],
  'the bundled worker': ['bundled', ALGORITHM],
  'the bundled worker with execute_batch': ['bundled', TOGETHER],
} as const;
type Kind = keyof typeof KINDS;
const EVERY = Object.keys(KINDS) as Kind[];
const BATCHED: Kind = 'the bundled worker with execute_batch';

const SIDE = 16;
/** A picture that no other has. */
function picture(number: number, what: What = 'answer') {
  const data = new Uint8Array(SIDE * SIDE * 3);
  for (let at = 3; at < data.length; at++) data[at] = (at * 31 + number * 7 + (number >> 5)) & 0xff;
  data.set([number & 0xff, number >> 8, DO[what]]);
  return { data, width: SIDE, height: SIDE };
}
const request = (number: number, what?: What, more: Partial<InspectionRequest> = {}): InspectionRequest => ({
  ...{ productId: 'A01', stepIndex: 1, image: picture(number, what), timeoutMs: 20_000 },
  ...more,
});
const some = (count: number, what?: What, more?: Partial<InspectionRequest>) =>
  Array.from({ length: count }, (_, n) => request(n + 1, what, more));

/** Holds each result against the picture of its request; gives what became of each. */
function account(requests: readonly InspectionRequest[], results: readonly InspectionResult[]): string[] {
  expect(results).toHaveLength(requests.length);
  expect(new Set(results.map(({ requestId }) => requestId)).size).toBe(results.length);
  return results.map((result, n) => {
    const { data } = requests[n]?.image as PixelInput & { data: Uint8Array };
    if (result.status !== 'OK') {
      expect(result.data.result_status).toBeUndefined();
      return result.error?.code ?? `ERROR ${String(result.errorCode)}`;
    }
    expect(result.error).toBeUndefined();
    expect((result.data.debug as { crc: number }).crc).toBe(crc32(data));
    expect(result.proof?.images).toHaveLength(1);
    return 'OK';
  });
}

async function open(
  kind: Kind,
  o: { policy?: object; maxBytes?: number; outbox?: ResultOutbox; versions?: string[] } = {},
) {
  const { policy = {}, maxBytes, outbox, versions = ['1.0.0'] } = o;
  const frames = new FramePool({ maxBytes });
  onTestFinished(() => frames.close());
  const once = path.join(await temporaryFolder(), 'once');
  const [worker, source] = KINDS[kind];
  const { registry, supervisor } = await openSupervised({
    ...{ worker, frames, outbox, policy: { env: { ATTACK_ONCE: once }, backoffMs: 1, ...policy } },
  });
  for (const version of versions) await deployVersion(registry, { source, version });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await supervisor.start('sample', '1.0.0');
  /** No call waits or runs, and every frame is back. */
  const nothingLeft = async () => {
    const left = () => supervisor.status().reduce((sum, { queued, inFlight }) => sum + queued + inFlight, 0);
    await expect.poll(left).toBe(0);
    await expect.poll(() => frames.load).toBe(0);
    const { slots, idle } = await frames.usage();
    expect(idle).toBe(slots);
  };
  /** Resolves when a picture to `hold` is at the algorithm. */
  const held = () =>
    expect
      .poll(() =>
        access(`${once}-held`).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
  const letGo = () => writeFile(`${once}-go`, '');
  return { registry, supervisor, frames, nothingLeft, held, letGo };
}

/** How many came to each end. */
function counted(ends: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const end of ends) counts[end] = (counts[end] ?? 0) + 1;
  return counts;
}
const ok = (count: number) => Array<string>(count).fill('OK');

describe.each(EVERY)('pictures of one executeMany under %s', (kind) => {
  test.each([0, 1, 33, 1_000])('%i of them have each its own verdict, and nothing is left', async (count) => {
    const { supervisor, nothingLeft } = await open(kind);
    const all = some(count);
    expect(account(all, await supervisor.executeMany(all))).toEqual(ok(count));
    await nothingLeft();
    const [status] = supervisor.status();
    expect(status?.workers[0]?.calls).toBe(count);
    expect(status?.latency.count).toBe(count);
  });

  test('that change hands while they are under way are judged as they were given', async () => {
    const { supervisor, nothingLeft } = await open(kind);
    const all = some(70);
    const given = all.map((one) => ({ ...one }));
    const many = supervisor.executeMany(given);
    for (const one of given) one.image = picture(999);
    given.reverse().length = 3;
    expect(account(all, await many)).toEqual(ok(70));
    await nothingLeft();
  });

  test('are all answered where no call may wait for a worker, of one session or of several', async () => {
    const { supervisor, nothingLeft } = await open(kind, { policy: { maxQueue: 0 } });
    for (const all of [some(10), some(10).map((one, n) => ({ ...one, session: { id: `s-${n}` } }))]) {
      expect(account(all, await supervisor.executeMany(all))).toEqual(ok(10));
    }
    await nothingLeft();
  });

  test('are in a recording and in an outbox, each with its own pixels', async () => {
    const kept: { requestId: string; crc: number }[] = [];
    const outbox: ResultOutbox = {
      record: (inspected, { image }: ResultFacts) => {
        if ('requestId' in inspected)
          kept.push({ requestId: inspected.requestId, crc: crc32(image?.data ?? new Uint8Array()) });
        return Promise.resolve();
      },
      note: () => Promise.resolve(),
    };
    const { supervisor, nothingLeft } = await open(kind, { outbox });
    const directory = path.join(await temporaryFolder(), 'recorded');
    // A message is one call on its way to the disk; one by one there may be more of them than the disk is quick for.
    const recording = await record(supervisor, {
      ...{ directory, maxPending: kind === 'the SDK worker' ? 100 : undefined },
    });
    const all = some(40);
    const results = await supervisor.executeMany(all);
    expect(account(all, results)).toEqual(ok(40));
    expect(await recording.stop()).toMatchObject({ calls: 40, skipped: 0, dropped: 0, lastError: undefined });
    for (const number of await recordedNumbers(directory)) {
      const { image, result } = await readCall(directory, number);
      const bytes = await readFile(path.join(directory, image.file));
      expect(crc32(bytes.subarray(-SIDE * SIDE * 3))).toBe((result?.data.debug as { crc: number }).crc);
    }
    const crcs = new Map(kept.map(({ requestId, crc }) => [requestId, crc]));
    expect(results.map(({ requestId }) => crcs.get(requestId))).toEqual(
      results.map(({ data }) => (data.debug as { crc: number }).crc),
    );
    await nothingLeft();
  });

  test('of which one kills its worker once are all answered', async () => {
    const { supervisor, nothingLeft } = await open(kind);
    const all = [...some(5), request(6, 'dieOnce'), ...some(5)];
    expect(account(all, await supervisor.executeMany(all))).toEqual(ok(11));
    await nothingLeft();
  });

  test('of which one kills its worker, without retries, each have a verdict or the failure', async () => {
    const { supervisor, nothingLeft } = await open(kind, { policy: { retries: 0 } });
    const all = [...some(3), request(4, 'die'), ...some(3)];
    const ends = account(all, await supervisor.executeMany(all));
    expect(ends[3]).toBe('worker_exited');
    expect(new Set(ends)).toEqual(new Set(kind === BATCHED ? ['worker_exited'] : ['OK', 'worker_exited']));
    await nothingLeft();
    expect(account(some(3), await supervisor.executeMany(some(3)))).toEqual(ok(3));
  });

  test('of which one hangs cost the others no verdict, with the time of a call for each', async () => {
    const policy = { maxCrashes: 50, maxRestarts: 50 };
    const { supervisor, nothingLeft } = await open(kind, { policy });
    const all = [...some(4), request(5, 'hang'), ...some(20)].map((one) => ({
      ...one,
      timeoutMs: A_CALL_MS,
    }));
    const ends = account(all, await supervisor.executeMany(all));
    expect(ends[4]).toBe('timeout');
    if (kind !== 'the SDK worker') expect(counted(ends)).toEqual({ OK: 24, timeout: 1 });
    await nothingLeft();
  });

  test('of which one has a fatal exception have no verdict of that process after it', async () => {
    const { supervisor, nothingLeft } = await open(kind, { policy: { maxCrashes: 50, maxRestarts: 50 } });
    const exits: string[] = [];
    supervisor.on('restart', ({ reason }) => exits.push(reason));
    const all = [...some(3), request(4, 'fatal'), ...some(20)];
    const results = await supervisor.executeMany(all);
    const ends = account(all, results);
    if (kind === BATCHED) return; // its exception is the answer to all of them
    expect(counted(ends)).toEqual({ OK: 23, 'ERROR 1009': 1 });
    if (kind === 'the SDK worker') return; // it tells of no class
    const workerOf = ({ data }: InspectionResult) => (data.debug as { worker: number } | undefined)?.worker;
    const before = new Set(results.slice(0, 3).map(workerOf));
    const after = new Set(results.slice(4).map(workerOf));
    expect(before.size).toBe(1);
    expect([...after].filter((one) => before.has(one))).toEqual([]);
    expect(results.map(({ attempts }) => attempts)).toEqual(Array(24).fill(1));
    expect(exits).toEqual(['fatal exception']);
    await nothingLeft();
  });

  test('that are good, raise, are no answer, no JSON, no contract or NaN are told apart', async () => {
    const { supervisor, nothingLeft } = await open(kind, { policy: { maxCrashes: 50, maxRestarts: 50 } });
    const whats: What[] = ['answer', 'raise', 'list', 'verdictless', 'nan', 'set', 'answer'];
    const all = whats.map((what, n) => request(n + 1, what));
    const results = await supervisor.executeMany(all);
    const ends = account(all, results);
    await nothingLeft();
    if (kind === BATCHED) expect(ends).toEqual(Array(7).fill('ERROR 1009'));
    else {
      const noJson = kind === 'the SDK worker' ? 'worker_exited' : 'ERROR 1009';
      expect(ends).toEqual(['OK', 'ERROR 1009', 'ERROR 1000', 'contract_violation', 'OK', noJson, 'OK']);
      expect(results[4]?.nonFinite).toEqual(['data.debug.score']);
    }
  });

  test.each(['stop', 'close', 'abort', 'frames', 'kill'] as const)(
    'with the first at the algorithm when %s comes end, each accounted for',
    async (how) => {
      const { supervisor, frames, nothingLeft, held, letGo } = await open(kind, { policy: { workers: 2 } });
      const all = [request(1, 'hold'), ...some(99)].map(({ timeoutMs: _, ...one }) => one);
      const controller = new AbortController();
      const many = supervisor.executeMany(all, { signal: controller.signal });
      const ended = many.catch((error: unknown) => error as Error);
      await held();
      const busy = supervisor.status()[0]?.workers.find(({ state }) => state === 'busy');
      const act = {
        stop: () => supervisor.stop('sample', '1.0.0'),
        close: () => supervisor.close(),
        abort: () => {
          controller.abort();
        },
        frames: () => frames.close(),
        kill: () => process.kill(busy?.processId ?? 0, 'SIGKILL'),
      };
      const done = act[how]();
      await letGo();
      await done;
      const results = await ended;
      if (how === 'abort') expect(results).toMatchObject({ name: 'AbortError' });
      else {
        const ends = counted(account(all, results as InspectionResult[]));
        if (how === 'kill') expect(ends).toEqual({ OK: 100 });
        expect(
          Object.keys(ends).filter(
            (end) =>
              !['OK', 'closed', ...(how === 'frames' ? ['circuit_open', 'worker_exited'] : [])].includes(end),
          ),
        ).toEqual([]);
      }
      if (how !== 'frames' && how !== 'close') await nothingLeft();
    },
  );

  test('that run while versions are switched and the pool is scaled are all answered', async () => {
    const { supervisor, nothingLeft, held, letGo } = await open(kind, { versions: ['1.0.0', '2.0.0'] });
    const all = [request(1, 'hold'), ...some(99)];
    const many = supervisor.executeMany(all);
    await held();
    const switched = supervisor.switch({ name: 'sample', version: '2.0.0', productIds: ['A01'] });
    await letGo();
    await switched;
    await supervisor.scale('sample', '2.0.0', 3);
    await supervisor.scale('sample', '2.0.0', 1);
    const results = await many;
    expect(account(all, results)).toEqual(ok(100));
    const later = await supervisor.executeMany(all);
    expect(account(all, later)).toEqual(ok(100));
    expect(new Set(later.map(({ version }) => version))).toEqual(new Set(['2.0.0']));
    await nothingLeft();
  });

  test('beside others and single calls, with memory for four frames, are all answered', async () => {
    const { supervisor, nothingLeft } = await open(kind, { maxBytes: 4 * 1_024, policy: { workers: 2 } });
    const all = some(50);
    const singles = some(20).map((one) => supervisor.execute(one));
    const [first, second] = await Promise.all([supervisor.executeMany(all), supervisor.executeMany(all)]);
    expect(account(all, first)).toEqual(ok(50));
    expect(account(all, second)).toEqual(ok(50));
    expect(account(some(20), await Promise.all(singles))).toEqual(ok(20));
    await nothingLeft();
  });
});

/** A picture whose bytes come when they may, and are no picture. */
function slowPicture() {
  let comes!: () => void;
  let isAsked!: () => void;
  const mayCome = new Promise<void>((resolve) => (comes = resolve));
  const asked = new Promise<void>((resolve) => (isAsked = resolve));
  class Slow extends Blob {
    override async arrayBuffer(): Promise<ArrayBuffer> {
      isAsked();
      await mayCome;
      return super.arrayBuffer();
    }
  }
  return { image: { encoded: new Slow(['none']) }, asked, comes };
}

test('a version that is stopped while a message is written waits for none of its pictures', async () => {
  const { supervisor, nothingLeft } = await open('the bundled worker');
  const { image, asked, comes } = slowPicture();
  const all = [request(1), request(2, 'answer', { image }), request(3)];
  const ended = supervisor.executeMany(all.map(({ timeoutMs: _, ...one }) => one));
  await asked;
  const stopped = supervisor.stop('sample', '1.0.0');
  await expect.poll(() => supervisor.status()[0]?.state).toBe('stopping');
  comes();
  await stopped;
  expect((await ended).map(({ error }) => error?.code)).toEqual(['closed', 'invalid_image', undefined]);
  await nothingLeft();
});

test('a picture whose bytes are late is not waited for in the time of those before it', async () => {
  const { supervisor, nothingLeft } = await open('the bundled worker');
  const { image, comes } = slowPicture();
  const answered: number[] = [];
  supervisor.on('result', ({ result }) => {
    answered.push((result.data.debug as { number: number }).number);
    comes();
  });
  const all = [request(1), request(2, 'answer', { image }), request(3)];
  const results = await supervisor.executeMany(all.map((one) => ({ ...one, timeoutMs: 2_000 })));
  expect(results.map(({ error }) => error?.code)).toEqual([undefined, 'invalid_image', undefined]);
  expect(answered).toEqual([1, 3]);
  await nothingLeft();
});

test('pictures that take less than their time each have it each, however long all of them take', async () => {
  const { supervisor, nothingLeft } = await open('the bundled worker', { policy: { retries: 0 } });
  const all = some(32, 'slow', { timeoutMs: 600 });
  expect(account(all, await supervisor.executeMany(all))).toEqual(ok(32));
  await nothingLeft();
});

test('a first call has the request as it was when it was made', async () => {
  const { registry, supervisor } = await openSupervised({ worker: 'bundled' });
  await deployVersion(registry, { source: ALGORITHM });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const given = request(1);
  const first = supervisor.execute(given);
  given.image = picture(2);
  expect(account([request(1)], [await first])).toEqual(['OK']);
});

describe('a worker that says batch in its hello', () => {
  async function scripted(policy: object) {
    const store = await TemporaryStore.open();
    onTestFinished(() => store.close());
    const capabilities = ['ping', 'call', 'shutdown', 'shared_memory:v1', 'batch'];
    const fake = new FakeWorker({ capabilities });
    await store.deploy({ worker: fake });
    await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    const supervisor = store.supervise({ policy });
    await supervisor.start('sample', '1.0.0');
    /** What the worker says before it answers the first. */
    const says = (message: (ids: string[]) => object[]) =>
      fake.answerOnce('execute', ({ process: worker }) => {
        const { calls } = worker.messages.findLast(({ type }) => type === 'batch') as {
          calls: { request_id: string }[];
        };
        for (const one of message(calls.map(({ request_id }) => request_id))) worker.send(one);
      });
    return { supervisor, says };
  }
  const result = (request_id: string | undefined) => ({
    ...{ type: 'result', request_id, status: 'OK', message: '', data: { result_status: 'OK' } },
  });

  test('and answers one twice, and one that nobody asked for, has one verdict on each', async () => {
    const { supervisor, says } = await scripted({ retries: 0 });
    says(([first]) => [result(first), result(first), result('nobody')]);
    const results = await supervisor.executeMany(some(4));
    expect(results.map(({ status }) => status)).toEqual(ok(4));
  });

  test('and answers the last before it has read its picture has no verdict on that', async () => {
    const { supervisor, says } = await scripted({ retries: 0 });
    says(([, , , last]) => [result(last)]);
    const results = await supervisor.executeMany(some(4));
    expect(results.map(({ error }) => error?.code)).toEqual([
      undefined,
      undefined,
      undefined,
      'frame_missing',
    ]);
    expect(results[3]?.data.result_status).toBeUndefined();
  });
});
