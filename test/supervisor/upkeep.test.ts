import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { SupervisorEvents } from '../../src/supervisor/events.js';
import type { InspectionRequest, InspectionResult } from '../../src/supervisor/types.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { IS_WINDOWS } from '../support/platform.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';

const image = { data: new Uint8Array(12).fill(50), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };

async function open(policy: Partial<SupervisorPolicy> = {}, source = steeredAlgorithm()) {
  const { registry, supervisor } = await openSupervised({ policy });
  await deployVersion(registry, { source });
  const ask = (userParams: Record<string, unknown> = {}, more: Partial<InspectionRequest> = {}) =>
    supervisor.execute({ target, stepIndex: 1, image, userParams, ...more });
  return { registry, supervisor, ask };
}

const pidOf = (result: InspectionResult) => (result.data.debug as { worker_pid: number }).worker_pid;

/** The next event of which this holds. */
function next<Name extends keyof SupervisorEvents>(
  supervisor: AlgorithmSupervisor,
  name: Name,
  isMeant: (event: SupervisorEvents[Name][0]) => boolean = () => true,
): Promise<SupervisorEvents[Name][0]> {
  return new Promise((resolve) => {
    const look = (event: SupervisorEvents[Name][0]) => {
      if (!isMeant(event)) return;
      supervisor.off(name, look);
      resolve(event);
    };
    supervisor.on(name, look);
  });
}

describe('calls that come before the workers are ready', () => {
  const SLOW = steeredAlgorithm({ onImport: 'time.sleep(1.5)' });

  test('are queue_full at once when there are too many of them; the others are answered', async () => {
    const { ask, supervisor } = await open({ maxQueue: 2 }, SLOW);
    const first = ask({ echo: 1 });
    await expect.poll(() => supervisor.status()[0]).toMatchObject({ state: 'starting', queued: 1 });
    const taken = [ask({ echo: 2 }), ask({ echo: 3 })];
    await expect.poll(() => supervisor.status()[0]?.queued).toBe(3);
    await expect(ask()).rejects.toMatchObject({ code: 'queue_full' });
    await expect(ask({}, { timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'queue_full' });
    expect(supervisor.status()[0]?.state).toBe('starting');
    const results = await Promise.all([first, ...taken]);
    expect(results.map(({ data }) => (data.debug as { echo: number }).echo)).toEqual([1, 2, 3]);
    expect(supervisor.status()[0]).toMatchObject({ queued: 0, inFlight: 0 });
  });

  test('are as many as there are workers where no queue is wanted', async () => {
    const { ask } = await open({ maxQueue: 0, workers: 2 }, SLOW);
    const ends = await Promise.allSettled([ask(), ask(), ask()]);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  });
});

describe('recycling', () => {
  test('comes also when calls follow each other without a gap, and no call is lost by it', async () => {
    const { ask, supervisor } = await open({ recycleAfterCalls: 5 });
    await ask();
    const recycled = next(supervisor, 'recycled');
    const state = { isOver: false };
    void recycled.then(() => (state.isOver = true));
    const caller = async () => {
      while (!state.isOver) expect(await ask()).toMatchObject({ status: 'OK', attempts: 1 });
    };
    await Promise.all([caller(), caller(), caller(), caller()]);
    expect(await recycled).toMatchObject({ worker: 0 });
  });

  test('of a worker that dies while its successor starts leaves one worker, not two', async () => {
    // The successor waits in its import for as long as the file is there, so that the kill always comes before it is ready.
    const source = steeredAlgorithm({
      onImport: `here = os.path.dirname(os.path.abspath(__file__))
${IS_WINDOWS ? WRITE_DOWN : ''}
while os.path.exists(os.path.join(here, "hold")): time.sleep(0.02)`,
    });
    const { ask, supervisor, registry } = await open({ recycleAfterCalls: 1, stableMs: 60_000 }, source);
    await supervisor.start('sample', '1.0.0');
    const root = registry.layout.deployed('sample', '1.0.0');
    const hold = join(root, 'hold');
    writeFileSync(hold, '');
    const old = pidOf(await ask());
    await expect.poll(() => adaptersIn(root).length, { timeout: 10_000 }).toBe(2); // the successor starts
    const exited = next(supervisor, 'exit', ({ processId: pid }) => pid === old);
    process.kill(old, 'SIGKILL');
    await exited;
    const ready = next(supervisor, 'ready');
    rmSync(hold);
    await ready;
    await expect
      .poll(() => adaptersIn(root), { timeout: 10_000 })
      .toEqual([supervisor.status()[0]?.workers[0]?.processId]);
    expect(await ask()).toMatchObject({ status: 'OK' });
  });
});

test('a warm spare that dies is followed by another after a pause', async () => {
  const { supervisor } = await open({ warmSpares: 1, maxBackoffMs: 100, backoffMs: 10 });
  const isSpare = ({ worker }: { worker: number | undefined }) => worker === undefined;
  const spare = next(supervisor, 'ready', isSpare);
  await supervisor.start('sample', '1.0.0');
  const { processId: pid } = await spare;
  const another = next(supervisor, 'ready', isSpare);
  process.kill(pid, 'SIGKILL');
  expect((await another).processId).not.toBe(pid);
  expect(supervisor.status()[0]).toMatchObject({ spares: 1, restarts: 0, circuit: 'closed' });
});

test('what a circuit refuses calls with names the failure that opened it, also when nothing could ever start', async () => {
  const broken = steeredAlgorithm({ onImport: 'raise RuntimeError("no licence")' });
  const { ask } = await open({ maxRestarts: 0 }, broken);
  await expect(ask()).rejects.toMatchObject({ code: 'start_failed' });
  await expect(ask()).rejects.toMatchObject({
    code: 'circuit_open',
    message: expect.stringContaining('no licence') as string,
    cause: { code: 'start_failed' },
  });
});

test('status() of a deployment and of each worker has what a dashboard shows', async () => {
  const { ask, supervisor } = await open({ workers: 2 });
  await supervisor.start('sample', '1.0.0');
  await ask();
  const [status] = supervisor.status();
  const numbers = { uptimeMs: expect.any(Number) as number, rssBytes: expect.any(Number) as number };
  const rest = { restarts: 0, inFlight: 0, queued: 0, lastError: undefined };
  expect(status).toMatchObject({ ...rest, ...numbers, state: 'running', latency: { count: 1 } });
  expect(status?.processId).toBe(status?.workers[0]?.processId);
  expect(status?.workers).toHaveLength(2);
  for (const worker of status?.workers ?? []) {
    expect(worker).toMatchObject({ ...rest, ...numbers, state: 'idle', pid: expect.any(Number) as number });
    expect(Object.keys(worker)).toEqual(expect.arrayContaining(['latency', 'cpu', 'calls', 'worker']));
  }
});

test('listeners that throw or reject at every event break nothing', async () => {
  const { ask, supervisor, registry } = await open({ warmSpares: 1, backoffMs: 1, retries: 0 });
  const failures = new Set<string>();
  supervisor.on('listenerError', (_, event) => failures.add(event));
  const names = ['state', 'ready', 'exit', 'restart', 'log', 'result', 'callFailed'] as const;
  for (const name of names) {
    supervisor.on(name, () => {
      throw new Error(`thrown at ${name}`);
    });
    const rejects: () => unknown = () => Promise.reject(new Error(`rejected at ${name}`));
    supervisor.on(name, rejects);
  }
  await ask();
  await expect(ask({ exit: 3 })).rejects.toMatchObject({ code: 'worker_exited' });
  expect(await ask()).toMatchObject({ status: 'OK' });
  await supervisor.stop('sample', '1.0.0');
  expect([...failures].sort()).toEqual([...names].sort());
  expect(await registry.users('sample', '1.0.0')).toEqual([]);
});

const WRITE_DOWN = 'with open(os.path.join(here, "started"), "a") as file: file.write("%d\\n" % os.getpid())';

/**
 * Processes that run the algorithm at this place: the innermost of those that its start has made; of Windows, which shows
 * no process's environment, those that have written themselves down.
 */
function adaptersIn(root: string): number[] {
  if (IS_WINDOWS) {
    const pids = readFileSync(join(root, 'started'), 'utf8').trim().split('\n').map(Number);
    return pids.filter((pid) => isAlive(pid));
  }
  const parents = new Map<number, number>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`PROC_ALGO_ROOT=${root}`)) continue;
      const [, parent, group] =
        readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
      if (group === pid) parents.set(Number(pid), Number(parent));
    } catch {
      // it has ended meanwhile
    }
  }
  const outer = new Set(parents.values());
  return [...parents.keys()].filter((pid) => !outer.has(pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
