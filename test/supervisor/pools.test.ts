import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import { CALL_CHANNEL } from '../../src/supervisor/calls/tracing.js';
import type { InspectionRequest, InspectionResult, SupervisedState } from '../../src/supervisor/types.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const image = { data: new Uint8Array(12).fill(50), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };

async function open(policy: Partial<SupervisorPolicy> = {}, source = steeredAlgorithm()) {
  const { registry, supervisor } = await openSupervised({ policy });
  await deployVersion(registry, { source });
  const ask = (userParams: Record<string, unknown> = {}, more: Partial<InspectionRequest> = {}, o = {}) =>
    supervisor.execute({ target, stepIndex: 1, image, userParams, ...more }, o);
  return { registry, supervisor, ask };
}

const debugOf = (result: InspectionResult) =>
  result.data.debug as { worker_pid: number; calls: number; echo: unknown; first: number[]; session: string };
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('forty calls at once over three workers are each answered with their own result and image', async () => {
  const { ask, supervisor } = await open({ workers: 3 });
  await supervisor.start('sample', '1.0.0');
  const results = await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      ask({ echo: n }, { image: { data: new Uint8Array(12).fill(n), width: 2, height: 2 } }),
    ),
  );
  expect(results.map((result) => debugOf(result).echo)).toEqual(results.map((_, n) => n));
  expect(results.map((result) => debugOf(result).first)).toEqual(results.map((_, n) => [n, n, n]));
  expect(new Set(results.map(({ worker }) => worker))).toEqual(new Set([0, 1, 2]));
  expect(supervisor.status()[0]).toMatchObject({ inFlight: 0, queued: 0, latency: { count: 40 } });
});

/** As `open`, with a worker that holds a call until it is told to answer, in place of one that sleeps. */
async function openHeld(policy: Partial<SupervisorPolicy> = {}) {
  const store = await TemporaryStore.open();
  onTestFinished(() => store[Symbol.asyncDispose]());
  const fake = new FakeWorker();
  await store.deploy({ ...target, worker: fake });
  const supervisor = store.supervise({ policy });
  const ask = () => supervisor.execute({ target, stepIndex: 1, image });
  return { fake, supervisor, ask };
}

test('a full queue refuses the next call at once with queue_full, and finishes what it has', async () => {
  const { ask, supervisor, fake } = await openHeld({ maxQueue: 2 });
  await ask();
  const held = fake.hold();
  const taken = [ask(), ask(), ask()];
  const call = await held;
  await expect.poll(() => supervisor.status()[0]).toMatchObject({ inFlight: 1, queued: 2 });
  await expect(ask()).rejects.toMatchObject({ code: 'queue_full' });
  expect(supervisor.status()[0]).toMatchObject({ inFlight: 1, queued: 2, state: 'executing' });
  call.answer({});
  const results = await Promise.all(taken);
  expect(results.map(({ status }) => status)).toEqual(['OK', 'OK', 'OK']);
});

test('a call for a version that is being stopped lets the one that runs there finish, and starts the version anew', async () => {
  const { ask, supervisor, fake } = await openHeld();
  await ask();
  const held = fake.hold();
  const running = ask();
  const call = await held;
  const stopped = supervisor.stop('sample', '1.0.0');
  const next = ask();
  await expect.poll(() => supervisor.status()[0]?.state).toBe('stopping');
  call.answer({});
  expect(await running).toMatchObject({ status: 'OK', attempts: 1 });
  await stopped;
  expect(await next).toMatchObject({ status: 'OK', attempts: 1 });
  expect(fake.calls.map(({ process }) => fake.processes.indexOf(process))).toEqual([0, 0, 1]);
});

test('a call for a version that is being stopped waits for that no longer than its limit, or than its caller', async () => {
  const { ask, supervisor } = await open();
  await ask();
  const controller = new AbortController();
  const running = ask({ sleep_ms: 60_000 }, { timeoutMs: 60_000 }, { signal: controller.signal });
  await expect.poll(() => supervisor.status()[0]?.inFlight).toBe(1);
  const stopped = supervisor.stop('sample', '1.0.0');
  await expect(ask({}, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'timeout' });
  await expect(ask({}, {}, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'aborted' });
  const started = supervisor.start('sample', '1.0.0', { signal: AbortSignal.timeout(50) });
  await expect(started).rejects.toMatchObject({ code: 'aborted' });
  const patient = ask();
  expect(supervisor.status()[0]).toMatchObject({ state: 'stopping', inFlight: 1 });
  controller.abort();
  await expect(running).rejects.toMatchObject({ code: 'aborted' });
  await stopped;
  expect(await patient).toMatchObject({ status: 'OK' });
});

describe('abort', () => {
  test('of a queued call rejects it at once and disturbs nobody', async () => {
    const { ask, supervisor } = await open();
    const first = await ask();
    const running = ask({ sleep_ms: 1_000 });
    const controller = new AbortController();
    const queued = ask({}, {}, { signal: controller.signal });
    await expect.poll(() => supervisor.status()[0]?.queued).toBe(1);
    controller.abort();
    await expect(queued).rejects.toMatchObject({ name: 'AbortError' });
    expect(debugOf(await running).worker_pid).toBe(debugOf(first).worker_pid);
    expect(supervisor.status()[0]).toMatchObject({ queued: 0, restarts: 0 });
  });

  test('of a running call rejects it, is not tried again, and the next call is served', async () => {
    const { ask, supervisor } = await open();
    await ask();
    const controller = new AbortController();
    const running = ask({ sleep_ms: 60_000 }, {}, { signal: controller.signal });
    await expect.poll(() => supervisor.status()[0]?.inFlight).toBe(1);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'aborted' });
    expect(await ask()).toMatchObject({ status: 'OK' });
  });

  test('of a start ends the worker that was starting', async () => {
    const begun = path.join(await temporaryFolder(), 'begun');
    const slow = steeredAlgorithm({
      onImport: `open(${JSON.stringify(begun)}, "w").close(); time.sleep(60)`,
    });
    const { supervisor, registry } = await open({}, slow);
    const controller = new AbortController();
    const start = supervisor.start('sample', '1.0.0', { signal: controller.signal });
    const ended = expect(start).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(() => existsSync(begun)).toBe(true);
    controller.abort();
    await ended;
    await supervisor.close();
    expect(supervisor.status()).toEqual([]);
    expect(await registry.users('sample', '1.0.0')).toEqual([]);
  });
});

test('a worker is replaced after its calls by a successor that is ready first; no call waits for it', async () => {
  const { ask, supervisor } = await open({ recycleAfterCalls: 5 });
  const order: unknown[] = [];
  supervisor.on('ready', ({ processId: pid }) => order.push(['ready', pid]));
  const seated = new Promise<number>((resolve) => {
    supervisor.on('recycled', ({ processId: pid }) => {
      order.push(['recycled', pid]);
      queueMicrotask(() => {
        resolve(order.length);
      });
    });
  });
  const first = debugOf(await ask()).worker_pid;
  let answer = { worker_pid: first, calls: 0 };
  while (answer.worker_pid === first) answer = debugOf(await ask());
  expect(answer.calls).toBe(1);
  expect(await seated).toBe(3); // the place was never empty: the successor took it in the same breath
  expect(order).toEqual([
    ['ready', first],
    ['recycled', first],
    ['ready', answer.worker_pid],
  ]);
  expect(supervisor.status()[0]?.restarts).toBe(0);
});

test.runIf(process.platform === 'linux')('a worker that has grown past its bound is replaced', async () => {
  const { ask, supervisor } = await open({ recycleAboveBytes: 100 << 20 });
  const first = debugOf(await ask({ grow_mb: 10 })).worker_pid;
  const recycled = new Promise((resolve) => supervisor.once('recycled', resolve));
  await ask({ grow_mb: 100 });
  expect(await recycled).toMatchObject({ worker: 0, pid: first });
  expect(debugOf(await ask()).worker_pid).not.toBe(first);
});

test('a warm spare steps in for a worker that dies, and another spare is made ready', async () => {
  const { ask, supervisor } = await open({ warmSpares: 1 });
  const readyAt = (place: number | undefined) =>
    new Promise<number>((resolve) => {
      const look = ({ worker, pid }: { worker: number | undefined; pid: number }) => {
        if (worker !== place) return;
        supervisor.off('ready', look);
        resolve(pid);
      };
      supervisor.on('ready', look);
    });
  const spare = readyAt(undefined);
  const first = debugOf(await ask()).worker_pid;
  const sparePid = await spare;
  const promoted = readyAt(0);
  const another = readyAt(undefined);
  process.kill(first, 'SIGKILL');
  expect(await promoted).toBe(sparePid);
  expect(debugOf(await ask()).worker_pid).toBe(sparePid);
  await another;
  expect(supervisor.status()[0]).toMatchObject({ spares: 1, restarts: 1 });
});

describe('sessions', () => {
  test('the calls of a session go to the worker that had it, when that is free', async () => {
    const { ask, supervisor } = await open({ workers: 3 });
    await supervisor.start('sample', '1.0.0');
    const held = ask({ sleep_ms: 1_000 });
    await expect.poll(() => supervisor.status()[0]?.inFlight).toBe(1);
    const first = await ask({}, { session: { id: 'board-7' } });
    expect(first.worker).not.toBe(0);
    await held;
    const again = await ask({}, { session: { id: 'board-7' } });
    expect(again.worker).toBe(first.worker);
  });

  test('reset reaches every worker that had the session, and no other', async () => {
    const log = path.join(await temporaryFolder(), 'reset.log');
    const source = steeredAlgorithm({
      extra: `
    def reset(self, session):
        with open(${JSON.stringify(log)}, "a") as file:
            file.write("%d %s\\n" % (os.getpid(), session.id))
`,
    });
    const { ask, supervisor } = await open({ workers: 3 }, source);
    await supervisor.start('sample', '1.0.0');
    const results = await Promise.all(
      [1, 2].map(() => ask({ sleep_ms: 1_000 }, { session: { id: 'board-7' } })),
    );
    await supervisor.reset({ id: 'board-7' });
    const { readFile } = await import('node:fs/promises');
    const lines = (await readFile(log, 'utf8')).trim().split(/\r?\n/);
    const expected = results.map((result) => `${debugOf(result).worker_pid} board-7`);
    expect(lines.sort()).toEqual(expected.sort());
    await supervisor.reset({ id: 'unheard of' });
  });
});

describe('stop', () => {
  test('finishes the call that runs, rejects those that wait, and the version can be started again', async () => {
    const { ask, supervisor } = await open();
    const { worker_pid: pid } = debugOf(await ask());
    const running = ask({ sleep_ms: 1_000 });
    const waiting = ask();
    await expect.poll(() => supervisor.status()[0]).toMatchObject({ inFlight: 1, queued: 1 });
    const stopped = supervisor.stop('sample', '1.0.0');
    await expect(waiting).rejects.toMatchObject({ code: 'closed' });
    expect(await running).toMatchObject({ status: 'OK' });
    await stopped;
    expect(isAlive(pid)).toBe(false);
    await supervisor.start('sample', '1.0.0');
    expect(await ask()).toMatchObject({ status: 'OK' });
  });

  test('of a version that is not started does nothing', async () => {
    const { supervisor } = await open();
    await supervisor.stop('sample', '1.0.0');
  });
});

test('close rejects what runs and what waits with closed, and leaves no process', async () => {
  const { ask, supervisor } = await open({ workers: 2 });
  await supervisor.start('sample', '1.0.0');
  const pids = supervisor.status()[0]?.workers.map(({ processId: pid }) => pid ?? 0) ?? [];
  expect(pids).toHaveLength(2);
  const calls = [1, 2, 3, 4].map(() => ask({ sleep_ms: 60_000 }, { timeoutMs: 100_000 }));
  const ends = Promise.allSettled(calls);
  await expect.poll(() => supervisor.status()[0]).toMatchObject({ inFlight: 2, queued: 2 });
  await supervisor.close();
  expect(
    (await ends).map((end) => end.status === 'rejected' && (end.reason as { code: string }).code),
  ).toEqual(Array(4).fill('closed'));
  expect(pids.map(isAlive)).toEqual([false, false]);
  await supervisor.close();
});

test('without lazy start a call before start() is not_initialized', async () => {
  const { ask, supervisor } = await open({ lazyStart: false });
  await expect(ask()).rejects.toMatchObject({ code: 'not_initialized' });
  await supervisor.start('sample', '1.0.0');
  expect(await ask()).toMatchObject({ status: 'OK' });
});

test('the state goes from starting over running and executing to stopped', async () => {
  const { ask, supervisor } = await open();
  const states: SupervisedState[] = [];
  supervisor.on('state', ({ state }) => states.push(state));
  await supervisor.start('sample', '1.0.0');
  await ask();
  await supervisor.stop('sample', '1.0.0');
  expect(states).toEqual(['starting', 'running', 'executing', 'running', 'stopping', 'stopped']);
});

test.runIf(process.platform === 'linux')('status tells memory and CPU of each worker', async () => {
  const { ask, supervisor } = await open();
  await ask();
  supervisor.status();
  const lookedAt = performance.now();
  await ask({ spin_ms: 300 });
  const [status] = supervisor.status();
  const burntMs = (status?.cpu ?? 0) * (performance.now() - lookedAt);
  expect(status?.rssBytes).toBeGreaterThan(5 << 20);
  expect(status?.workers[0]?.rssBytes).toBe(status?.rssBytes);
  expect(burntMs).toBeGreaterThan(250);
  expect(burntMs).toBeLessThan(600);
  expect(status?.workers[0]).toMatchObject({ calls: 2, latency: { count: 2 } });
});

test('what algorithms log and print is passed on with the worker it came from', async () => {
  const source = steeredAlgorithm({ onImport: 'print("hello"); sys.stderr.write("a line\\n")' });
  const { ask, supervisor } = await open({}, source);
  const seen: unknown[] = [];
  supervisor.on('log', ({ name, worker, message }) => seen.push({ name, worker, message }));
  supervisor.on('strayOutput', ({ text }) => expect.fail(text));
  await ask();
  await expect.poll(() => seen.length).toBe(2);
  expect(seen).toContainEqual({ name: 'sample', worker: 0, message: 'a line' });
  expect(seen).toContainEqual({ name: 'sample', worker: 0, message: 'hello' });
});

test('each call is traced on the diagnostics channel, with where it went and what came of it', async () => {
  const { ask } = await open();
  const traced: unknown[] = [];
  const onEnd = (message: unknown) => traced.push({ ...(message as object) });
  subscribe(`tracing:${CALL_CHANNEL}:asyncEnd`, onEnd);
  onTestFinished(() => {
    unsubscribe(`tracing:${CALL_CHANNEL}:asyncEnd`, onEnd);
  });
  const result = await ask();
  await expect(ask({ exit: 1 }, { timeoutMs: 30_000 })).rejects.toMatchObject({ code: 'worker_exited' });
  expect(traced).toEqual([
    expect.objectContaining({
      requestId: result.requestId,
      phase: 'execute',
      worker: 0,
      attempts: 1,
      result,
    }),
    expect.objectContaining({
      name: 'sample',
      error: expect.objectContaining({ code: 'worker_exited' }) as unknown,
    }),
  ]);
});

test.each<[string, Partial<InspectionRequest>, string]>([
  ['no product id and no target', { target: undefined }, 'productId'],
  ['a pid that is a number', { productId: 7 as never }, 'productId'],
  ['an empty session id', { session: { id: '' } }, 'session.id'],
  ['a session context that is a list', { session: { context: [] as never } }, 'session.context'],
  ['parameters that are a text', { userParams: 'x' as never }, 'userParams'],
  ['a guide that is no list', { guideInfo: {} as never }, 'guideInfo'],
  ['a step that is a bigint', { stepIndex: 1n as never }, 'stepIndex'],
  ['a target without a version', { target: { name: 'x' } as never }, 'target.version'],
  ['step 0', { stepIndex: 0 }, 'stepIndex'],
  ['a time limit of 0', { timeoutMs: 0 }, 'timeoutMs'],
  ['no image', { image: undefined }, 'image'],
  [
    'pixels that are no Uint8Array',
    { image: { data: [1, 2, 3], width: 1, height: 1 } as never },
    'image.data',
  ],
  ['a guide image without anything', { guideImage: {} as never }, 'guideImage'],
])('a request with %s is invalid_params naming the field', async (_, request, field) => {
  const { ask } = await open();
  await expect(ask({}, request)).rejects.toMatchObject({ code: 'invalid_params', details: { path: field } });
});

test('a picture made in another realm, such as a REPL, is taken as any other', async () => {
  const { ask } = await open();
  const data = runInNewContext('new Uint8Array(12).fill(77)') as Uint8Array;
  expect(data instanceof Uint8Array).toBe(false);
  expect(debugOf(await ask({}, { image: { data, width: 2, height: 2 } })).first).toEqual([77, 77, 77]);
});

test('an adapter that there is not is refused, not taken for the default', async () => {
  await expect(openSupervised({ worker: 'bundeld' as never })).rejects.toMatchObject({
    code: 'invalid_params',
    message: expect.stringContaining("worker must be 'sdk' or 'bundled', not 'bundeld'") as string,
  });
});

test('no request at all is invalid_params too', async () => {
  const { supervisor } = await open();
  await expect(supervisor.execute(undefined as never)).rejects.toMatchObject({
    code: 'invalid_params',
    details: { path: 'request' },
  });
});

test('an encoded image that is cut off is invalid_image, not a black image', async () => {
  const { ask } = await open();
  const encoded = { encoded: new Uint8Array([0xff, 0xd8]), width: 2, height: 2 };
  await expect(ask({}, { image: encoded })).rejects.toMatchObject({ code: 'invalid_image' });
});
