import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { InspectionRequest } from '../../src/supervisor/types.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';

const SIDE = 4;
const picture = (value: number) => ({
  data: new Uint8Array(SIDE * SIDE * 3).fill(value),
  ...{ width: SIDE, height: SIDE },
});
const request = (value: number, more: Partial<InspectionRequest> = {}): InspectionRequest => ({
  ...{ productId: 'A01', stepIndex: 1, image: picture(value), timeoutMs: 20_000 },
  ...more,
});
const values = (count: number) => Array.from({ length: count }, (_, n) => n + 1);

/** The first value of a picture decides what becomes of it; `debug` tells what was seen, and by which call. */
const ONE_BY_ONE = `import os, time
from procvision_algorithm_sdk import BaseAlgorithm, RecoverableError, read_image_from_shared_memory

def look(value, **seen):
    if value == 66:
        os.kill(os.getpid(), 9)
    if value == 77:
        raise ValueError("seventy-seven")
    if value == 88:
        return {"status": "OK", "data": {"result_status": "NG"}}
    if value == 99:
        time.sleep(60)
    return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": dict(seen, value=value)}}

class Algorithm(BaseAlgorithm):
    calls = 0
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        session.set("kept", user_params.get("keep"))
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        Algorithm.calls += 1
        value = int(read_image_from_shared_memory(shared_mem_id, image_meta)[0, 0, 0])
        return look(value, call=Algorithm.calls, pid=pid, params=user_params, kept=session.get("kept"), worker=os.getpid())
`;

/** The same, at once; `mode` of the first item spoils the answers. */
const TOGETHER = `${ONE_BY_ONE}
    def execute_batch(self, items):
        Algorithm.calls += 1
        mode = items[0]["user_params"].get("mode")
        if mode == "raise":
            raise RecoverableError("no memory for so many")
        if mode == "skipped":
            del items[1]
        if mode == "emptied":
            items = [items.pop(0) for _ in range(len(items))]
        answers = []
        for item in items:
            value = int(read_image_from_shared_memory(item["shared_mem_id"], item["image_meta"])[0, 0, 0])
            answer = look(value, call=Algorithm.calls, batch=len(items), step=item["step_index"], pid=item["pid"],
                          kept=item["session"].get("kept"), trace=item.get("traceparent"))
            answers.append(dict(answer, item=len(answers) if mode == "skipped" else item["item"]))
            if mode == "emptied":
                item.clear()
        if mode == "few":
            answers.pop()
        if mode == "many":
            answers.append(dict(answers[0]))
        if mode == "swapped":
            answers[0], answers[1] = answers[1], answers[0]
        if mode == "nameless":
            del answers[2]["item"]
        return None if mode == "none" else answers
`;

async function open(
  source: string,
  worker: 'sdk' | 'bundled',
  { policy = {}, frames }: { policy?: object; frames?: FramePool } = {},
) {
  const { registry, supervisor } = await openSupervised({ worker, policy, ...(frames && { frames }) });
  await deployVersion(registry, { source });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const debugOf = (results: { data: object }[]) =>
    results.map(({ data }) => (data as { debug?: Record<string, unknown> }).debug);
  return { registry, supervisor, debugOf };
}

describe.each([
  ['sdk', ONE_BY_ONE],
  ['bundled', ONE_BY_ONE],
  ['bundled', TOGETHER],
] as const)('several pictures under the %s worker', (worker, source) => {
  test('are answered each by itself and in order, with proof, events and a trace of each', async () => {
    const { supervisor, debugOf } = await open(source, worker);
    const told: string[] = [];
    const traced: string[] = [];
    const trace = 'tracing:procvision-runner.call:asyncEnd';
    const onTrace = (message: unknown) => traced.push((message as { requestId: string }).requestId);
    subscribe(trace, onTrace);
    onTestFinished(() => {
      unsubscribe(trace, onTrace);
    });
    supervisor.on('result', ({ result, productId }) => told.push(`${String(productId)} ${result.requestId}`));
    const results = await supervisor.executeMany(values(9).map((value) => request(value)));
    expect(debugOf(results).map((debug) => debug?.value)).toEqual(values(9));
    for (const { status, proof, warnings, attempts, error, timing } of results) {
      expect({ status, warnings, attempts, error }).toEqual({
        status: 'OK',
        warnings: [],
        attempts: 1,
        error: undefined,
      });
      expect(proof?.images).toHaveLength(1);
      expect(timing.totalMs).toBeGreaterThan(0);
    }
    expect(new Set(results.map(({ requestId }) => requestId)).size).toBe(9);
    expect(told.sort()).toEqual(results.map(({ requestId }) => `A01 ${requestId}`).sort());
    expect(traced.sort()).toEqual(results.map(({ requestId }) => requestId).sort());
    expect(supervisor.status()[0]).toMatchObject({ queued: 0, inFlight: 0, latency: { count: 9 } });
    expect(supervisor.status()[0]?.workers[0]?.calls).toBe(9);
  });

  test('of which one raises, one breaks the contract and one is no picture cost the others nothing', async () => {
    const { supervisor, debugOf } = await open(ONE_BY_ONE, worker);
    const failed: string[] = [];
    supervisor.on('callFailed', ({ error }) => failed.push(error.code));
    const bad = { ...picture(3), width: 7 };
    const results = await supervisor.executeMany([
      request(1),
      request(77),
      request(88),
      request(0, { image: bad }),
      request(5),
    ]);
    expect(debugOf(results).map((debug) => debug?.value)).toEqual([1, undefined, undefined, undefined, 5]);
    expect(results[1]).toMatchObject({
      status: 'ERROR',
      errorCode: '1009',
      exception: { message: 'seventy-seven' },
    });
    expect(results[1]?.error).toBeUndefined();
    expect(results[2]).toMatchObject({
      status: 'ERROR',
      data: {},
      worker: -1,
      error: { code: 'contract_violation' },
    });
    expect(results[3]).toMatchObject({ status: 'ERROR', data: {}, error: { code: 'invalid_image' } });
    expect(failed.sort()).toEqual(['contract_violation', 'invalid_image']);
  });

  test('of which one kills its worker are tried again, each by itself, and the crash counts once', async () => {
    const { supervisor, debugOf } = await open(source, worker, { policy: { maxCrashes: 2, backoffMs: 1 } });
    const results = await supervisor.executeMany([request(1), request(66), request(3), request(4)]);
    expect(debugOf(results).map((debug) => debug?.value)).toEqual([1, undefined, 3, 4]);
    expect(results[1]).toMatchObject({ status: 'ERROR', data: {}, error: { code: 'worker_exited' } });
    expect(supervisor.status()[0]?.circuit).toBe('closed');
    const [next] = await supervisor.executeMany([request(9)]);
    expect(next?.status).toBe('OK');
  });

  test('of which one hangs end in their time, and those before it are answered', async () => {
    const { supervisor, debugOf } = await open(ONE_BY_ONE, worker, { policy: { retries: 0 } });
    await supervisor.start('sample', '1.0.0');
    const timeoutMs = 700;
    const results = await supervisor.executeMany([1, 2, 99].map((value) => request(value, { timeoutMs })));
    expect(debugOf(results).map((debug) => debug?.value)).toEqual([1, 2, undefined]);
    expect(results[2]).toMatchObject({ status: 'ERROR', error: { code: 'timeout' } });
  });

  test('that are aborted reject as one, and nothing is left of them', async () => {
    const { supervisor } = await open(ONE_BY_ONE, worker);
    await supervisor.start('sample', '1.0.0');
    const controller = new AbortController();
    const many = supervisor.executeMany([request(99), request(99)], { signal: controller.signal });
    await expect.poll(() => supervisor.status()[0]?.inFlight).toBe(1);
    controller.abort();
    await expect(many).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(() => supervisor.status()[0]).toMatchObject({ queued: 0, inFlight: 0 });
  });

  test('that fit into the memory for frames only one at a time are answered all the same', async () => {
    const frames = new FramePool({ maxBytes: 400 });
    onTestFinished(() => frames.close());
    const { supervisor, debugOf } = await open(source, worker, { frames });
    const results = await supervisor.executeMany(values(6).map((value) => request(value)));
    expect(debugOf(results).map((debug) => debug?.value)).toEqual(values(6));
  });

  test('that belong to a session are at the worker that has its values', async () => {
    const { supervisor, debugOf } = await open(source, worker, { policy: { workers: 2 } });
    const session = { id: 'board-7' };
    await supervisor.preExecute(request(0, { session, userParams: { keep: 42 } }));
    const results = await supervisor.executeMany(values(3).map((value) => request(value, { session })));
    const kept = worker === 'bundled' ? 42 : null;
    expect(debugOf(results).map((debug) => debug?.kept)).toEqual([kept, kept, kept]);
  });
});

test('an algorithm with execute_batch gets the pictures of a message in one call, of more than 32 in several', async () => {
  const { supervisor, debugOf } = await open(TOGETHER, 'bundled');
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const results = await supervisor.executeMany(values(40).map((value) => request(value, { traceparent })));
  const debug = debugOf(results);
  expect(debug.map((one) => one?.value)).toEqual(values(40));
  expect(debug.map((one) => one?.batch)).toEqual([...values(32).map(() => 32), ...values(8).map(() => 8)]);
  expect(new Set(debug.map((one) => one?.call)).size).toBe(2);
  expect(debug[3]).toMatchObject({ step: 1, pid: 'A01', trace: traceparent });
  expect(results[3]?.metrics?.algorithmMs).toBeGreaterThanOrEqual(0);
  const [single] = debugOf(await supervisor.executeMany([request(7)]));
  expect(single).toMatchObject({ value: 7 });
  expect(single?.batch).toBeUndefined();
});

test('an execute-only algorithm with execute_batch gets both pictures of each item', async () => {
  const { registry, supervisor } = await openSupervised({ worker: 'bundled' });
  const source = `from procvision_algorithm_sdk import BaseAlgorithm
class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        raise ValueError("not asked for")
    def execute_batch(self, items):
        look = lambda item: [int(item["cur_image"][0, 0, 0]), int(item["guide_image"][0, 0, 0]), item["step_desc"], item["guide_info"]]
        return [{"item": item["item"], "status": "OK", "message": "",
                 "data": {"result_status": "OK", "debug": look(item)}} for item in items]
`;
  await deployVersion(registry, { source, generation: 'execute-only' });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await registry.setGuide({ productId: 'A01', stepIndex: 1, image: picture(50) });
  const more = { stepDesc: 'solder' };
  const own = { ...more, guideImage: picture(60) };
  const results = await supervisor.executeMany([
    request(1, more),
    request(2, own),
    request(3, { guideImage: 'same' }),
  ]);
  expect(results.map(({ data }) => data.debug)).toEqual([
    [1, 50, 'solder', []],
    [2, 60, 'solder', []],
    [3, 3, '', []],
  ]);
  expect(results.map(({ proof }) => proof?.images.length)).toEqual([2, 2, 1]);
});

test.each([
  ['few', /3 answers for 4 items/],
  ['many', /5 answers for 4 items/],
  ['skipped', /3 answers for 4 items/],
  ['swapped', /item 1 at place 0/],
  ['nameless', /item None at place 2/],
  ['none', /NoneType, not a list/],
])(
  'answers of execute_batch that are %s are a fault of each picture, never a verdict',
  async (mode, said) => {
    const { supervisor } = await open(TOGETHER, 'bundled');
    const results = await supervisor.executeMany(
      values(4).map((value) => request(value, { userParams: { mode } })),
    );
    for (const result of results) {
      expect(result).toMatchObject({
        status: 'ERROR',
        errorCode: '1000',
        message: expect.stringMatching(said) as string,
      });
      expect(result.data.result_status).toBeUndefined();
    }
  },
);

test('an execute_batch that takes its items out of their list, and empties each, answers them all', async () => {
  const { supervisor, debugOf } = await open(TOGETHER, 'bundled');
  const userParams = { mode: 'emptied' };
  const results = await supervisor.executeMany(values(4).map((value) => request(value, { userParams })));
  expect(debugOf(results).map((debug) => debug?.value)).toEqual(values(4));
});

test('a recoverable exception of execute_batch has each picture tried again by itself', async () => {
  const { supervisor, debugOf } = await open(TOGETHER, 'bundled');
  const userParams = { mode: 'raise' };
  const results = await supervisor.executeMany(values(4).map((value) => request(value, { userParams })));
  expect(debugOf(results).map((debug) => debug?.value)).toEqual(values(4));
  expect(results.map(({ attempts }) => attempts)).toEqual([2, 2, 2, 2]);
});

test('a version that cannot start fails each picture with the reason, after one start', async () => {
  const { supervisor } = await open('raise ImportError("no such lens")', 'bundled');
  const results = await supervisor.executeMany(values(3).map((value) => request(value)));
  for (const result of results)
    expect(result).toMatchObject({ status: 'ERROR', error: { code: 'start_failed' } });
});

test.each([
  ['another step', { stepIndex: 2 }],
  ['another product id', { productId: 'A02' }],
  ['another version', { target: { name: 'sample', version: '1.0.0' } }],
])('a request for %s is refused before anything is done', async (_, other) => {
  const { supervisor } = await openSupervised({ worker: 'bundled' });
  const many = supervisor.executeMany([request(1), request(2, other)]);
  await expect(many).rejects.toMatchObject({ code: 'invalid_params', details: { path: 'requests.1' } });
  await expect(supervisor.executeMany([1] as never)).rejects.toMatchObject({ code: 'invalid_params' });
  await expect(supervisor.executeMany('x' as never)).rejects.toMatchObject({ code: 'invalid_params' });
  expect(await supervisor.executeMany([])).toEqual([]);
});

describe('a scripted worker that says batch in its hello', () => {
  async function scripted(policy = {}, more = {}) {
    const store = await TemporaryStore.open();
    onTestFinished(() => store.close());
    const capabilities = ['ping', 'call', 'shutdown', 'shared_memory:v1', 'batch'];
    const fake = new FakeWorker({ capabilities, ...more });
    await store.deploy({ worker: fake });
    await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    return { fake, supervisor: store.supervise({ policy }) };
  }

  test('gets one message, and what it was shown of a picture is held against what was sent', async () => {
    const { fake, supervisor } = await scripted({ retries: 0 });
    await supervisor.start('sample', '1.0.0');
    const results = await supervisor.executeMany(values(4).map((value) => request(value)));
    expect(results.map(({ status }) => status)).toEqual(['OK', 'OK', 'OK', 'OK']);
    const types = fake.processes[0]?.messages.map(({ type }) => type);
    expect(types?.filter((type) => type === 'batch')).toHaveLength(1);
    expect(types).not.toContain('call');
  });

  test('and could not read one picture has no verdict on that, and on the others it has', async () => {
    const { fake, supervisor } = await scripted({ retries: 0 });
    await supervisor.start('sample', '1.0.0');
    fake.answerOnce('execute', {});
    fake.answerOnce('execute', (call) => {
      const pictures = { read: [], fault: 'it is another' };
      call.process.send({ type: 'pictures', request_id: call.requestId, pictures });
    });
    const results = await supervisor.executeMany(values(3).map((value) => request(value)));
    expect(results.map(({ status, errorCode }) => [status, errorCode])).toEqual([
      ['OK', undefined],
      ['ERROR', '1007'],
      ['OK', undefined],
    ]);
  });

  test('and tells nothing of its pictures has no verdict at all', async () => {
    const { supervisor } = await scripted({ retries: 0 }, { hidesPictures: true });
    const results = await supervisor.executeMany(values(3).map((value) => request(value)));
    for (const { error } of results) expect(error?.code).toBe('frame_missing');
  });

  test('and dies in the middle leaves the answers before it, and the rest goes to the next process', async () => {
    const { fake, supervisor } = await scripted();
    await supervisor.start('sample', '1.0.0');
    fake.answerOnce('execute', {});
    fake.answerOnce('execute', (call) => call.process.die('SIGSEGV').then(() => undefined));
    const results = await supervisor.executeMany(values(4).map((value) => request(value)));
    expect(results.map(({ status, attempts }) => [status, attempts])).toEqual([
      ['OK', 1],
      ['OK', 2],
      ['OK', 2],
      ['OK', 2],
    ]);
  });

  test('and does not answer one of them in the time of an attempt loses that and what follows', async () => {
    const { fake, supervisor } = await scripted({ attemptTimeoutMs: 300, retries: 0 });
    await supervisor.start('sample', '1.0.0');
    fake.answerOnce('execute', {});
    fake.answerOnce('execute', (call) => call.hang());
    const results = await supervisor.executeMany(values(3).map((value) => request(value)));
    expect(results.map(({ error }) => error?.code)).toEqual([undefined, 'timeout', 'timeout']);
  });
});
