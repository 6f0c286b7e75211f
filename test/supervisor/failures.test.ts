import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { SupervisorEvents } from '../../src/supervisor/events.js';
import type { InspectionRequest, InspectionResult } from '../../src/supervisor/types.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { KILLED_BY_ID } from '../support/platform.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const image = { data: new Uint8Array(12).fill(50), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };
const NOT_WITHIN_THE_TEST = 600_000;

async function open(policy: Partial<SupervisorPolicy> = {}, source = steeredAlgorithm()) {
  const frames = new FramePool();
  onTestFinished(() => frames.close());
  const { registry, supervisor } = await openSupervised({ policy, frames });
  await deployVersion(registry, { source });
  const folder = await temporaryFolder();
  const ask = (userParams: Record<string, unknown> = {}, more: Partial<InspectionRequest> = {}, o = {}) =>
    supervisor.execute({ target, stepIndex: 1, image, userParams, ...more }, o);
  return {
    registry,
    supervisor,
    frames,
    ask,
    flag: path.join(folder, 'flag'),
    log: path.join(folder, 'log'),
  };
}

function next<Name extends keyof SupervisorEvents>(
  supervisor: AlgorithmSupervisor,
  name: Name,
): Promise<SupervisorEvents[Name][0]> {
  return new Promise((resolve) => {
    supervisor.once(name, (event: SupervisorEvents[Name][0]) => {
      resolve(event);
    });
  });
}

const workerPid = (result: InspectionResult) => (result.data.debug as { worker_pid: number }).worker_pid;

describe('a worker that dies in a call', () => {
  test('is replaced, and the call is answered by the replacement at the second attempt', async () => {
    const { ask, flag, supervisor } = await open();
    const restarted = next(supervisor, 'restart');
    expect(await ask({ exit_once: flag, echo: 7 })).toMatchObject({
      attempts: 2,
      data: { debug: { echo: 7 } },
    });
    expect(await restarted).toMatchObject({ worker: 0, attempt: 1, delayMs: 0 });
    expect(supervisor.status()[0]).toMatchObject({ restarts: 1, lastError: { code: 'worker_exited' } });
  });

  test('fails the call with worker_exited, exit code and last lines when retries are off; the next call is served', async () => {
    const { ask } = await open({ retries: 0 });
    await expect(ask({ exit: 7 })).rejects.toMatchObject({
      code: 'worker_exited',
      details: { exitCode: 7, output: ['the lamp fell off'] },
    });
    expect(await ask()).toMatchObject({ status: 'OK', attempts: 1 });
  });

  test('is asked no more than three times, by three processes, and the error is that of the last', async () => {
    const { ask, log } = await open({ backoffMs: 1 });
    await expect(ask({ exit: 7, log, echo: 1 })).rejects.toMatchObject({ code: 'worker_exited' });
    const lines = (await readFile(log, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(new Set(lines).size).toBe(3);
  });
});

test('a worker that is killed while idle is replaced before the next call needs it', async () => {
  const { ask, supervisor } = await open();
  const first = await ask();
  const ready = next(supervisor, 'ready');
  const exited = next(supervisor, 'exit');
  process.kill(workerPid(first), 'SIGKILL');
  expect(await exited).toMatchObject({
    exitSignal: KILLED_BY_ID[1],
    reason: 'exited',
    error: { code: 'worker_exited' },
  });
  const { processId: pid } = await ready;
  const second = await ask();
  expect(second.attempts).toBe(1);
  expect(workerPid(second)).toBe(pid);
});

describe('a call that takes too long', () => {
  test('ends with timeout at its limit, and the next one is served', async () => {
    const { ask } = await open();
    await ask();
    const startedAt = performance.now();
    await expect(ask({ sleep_ms: 60_000 }, { timeoutMs: 200 })).rejects.toMatchObject({
      ...{ code: 'timeout', details: { timeoutMs: 200 } },
      message: expect.stringMatching(/did not answer execute within 200 ms/) as string,
    });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(await ask()).toMatchObject({ status: 'OK', attempts: 1 });
  });

  test('is tried again within its time when attempts have a limit of their own', async () => {
    const { ask, flag } = await open({ attemptTimeoutMs: 300 });
    await ask();
    expect(await ask({ hang_once: flag }, { timeoutMs: 20_000 })).toMatchObject({ attempts: 2 });
  });

  test('keeps its frame from being reused until its worker is gone', async () => {
    const deaf = steeredAlgorithm({
      onImport: 'import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)',
    });
    const { ask, frames, supervisor } = await open({ retries: 0 }, deaf);
    await ask();
    const exited = next(supervisor, 'exit');
    await expect(ask({ sleep_ms: 60_000 }, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'timeout' });
    expect(await frames.usage()).toMatchObject({ slots: 1, idle: 0 });
    await exited;
    // What the worker may have started is looked for first.
    await expect.poll(() => frames.usage()).toMatchObject({ slots: 1, idle: 1 });
  });

  test('counts from the request: a call that waited for its turn has the less time left', async () => {
    const { ask } = await open();
    await ask();
    const first = ask({ sleep_ms: 250 });
    const second = ask({ sleep_ms: 250 }, { timeoutMs: 350 });
    await expect(second).rejects.toMatchObject({ code: 'timeout' });
    expect(await first).toMatchObject({ status: 'OK' });
  });

  test('opens no circuit, however often: it speaks of the call', async () => {
    const { ask, supervisor } = await open({ maxCrashes: 2, retries: 0 });
    await ask();
    for (let n = 0; n < 3; n++) {
      await expect(ask({ sleep_ms: 60_000 }, { timeoutMs: 60 })).rejects.toMatchObject({ code: 'timeout' });
      expect(await ask()).toMatchObject({ status: 'OK' });
    }
    expect(supervisor.status()[0]?.circuit).toBe('closed');
  });
});

describe('an algorithm that answers ERROR', () => {
  test('is asked again at another worker when the policy calls its code recoverable', async () => {
    const { ask, flag, log, supervisor } = await open({ workers: 2, recoverableCodes: ['1009'] });
    await supervisor.start('sample', '1.0.0');
    expect(await ask({ error_once: flag, log, echo: 'x' })).toMatchObject({ status: 'OK', attempts: 2 });
    const pids = (await readFile(log, 'utf8')).trim().split('\n');
    expect(new Set(pids).size).toBe(2);
  });

  test('is asked again at the same worker when there is no other, under another request id', async () => {
    const { ask, flag, supervisor } = await open({ recoverableCodes: ['1009'] });
    expect(await ask({ error_once: flag })).toMatchObject({ status: 'OK', attempts: 2 });
    expect(supervisor.status()[0]?.restarts).toBe(0);
  });

  test('gives that answer when it is not', async () => {
    const { ask } = await open();
    expect(await ask({ raise: 'dark' })).toMatchObject({
      status: 'ERROR',
      message: 'dark',
      errorCode: '1009',
      attempts: 1,
    });
  });
});

test('a result that breaks the contract is contract_violation with path and raw answer, and the worker stays', async () => {
  const { ask, supervisor } = await open();
  await expect(
    ask({ data: { result_status: 'NG', ng_reason: 'x', defect_rects: [{ x: 1 }] } }),
  ).rejects.toMatchObject({
    code: 'contract_violation',
    details: { path: 'data.defect_rects.0.y', raw: { status: 'OK', data: { ng_reason: 'x' } } },
  });
  expect(await ask()).toMatchObject({ status: 'OK' });
  expect(supervisor.status()[0]?.restarts).toBe(0);
});

describe('the circuit', () => {
  const crashes = { maxCrashes: 3, maxRestarts: 10, backoffMs: 1, retries: 0 };

  test('opens after the crashes of the policy: calls, also those that wait, are circuit_open at once', async () => {
    const { ask, supervisor } = await open({ ...crashes, coolDownMs: NOT_WITHIN_THE_TEST });
    const opened = next(supervisor, 'circuitOpen');
    for (let n = 0; n < 2; n++)
      await expect(ask({ exit: 1 })).rejects.toMatchObject({ code: 'worker_exited' });
    const dies = ask({ exit: 1, sleep_ms: 100 });
    const waits = ask();
    await expect(dies).rejects.toMatchObject({ code: 'worker_exited' });
    await expect(waits).rejects.toMatchObject({ code: 'circuit_open', cause: { code: 'worker_exited' } });
    expect(await opened).toMatchObject({ reason: 'crashes', coolDownMs: NOT_WITHIN_THE_TEST });
    expect(supervisor.status()[0]).toMatchObject({ state: 'failed', circuit: 'open' });
    await expect(ask()).rejects.toMatchObject({ code: 'circuit_open' });
  });

  test('is probed after the cool-down by one worker, and closes with its first answer', async () => {
    const { ask, supervisor } = await open({ ...crashes, workers: 2, coolDownMs: 50 });
    await supervisor.start('sample', '1.0.0');
    const opened = next(supervisor, 'circuitOpen');
    for (let n = 0; n < 3; n++)
      await expect(ask({ exit: 1 })).rejects.toMatchObject({ code: 'worker_exited' });
    await opened;
    const closed = next(supervisor, 'circuitClosed');
    await next(supervisor, 'ready');
    expect(supervisor.status()[0]).toMatchObject({ circuit: 'half-open' });
    expect(await ask()).toMatchObject({ status: 'OK' });
    await closed;
    await next(supervisor, 'ready');
    expect(supervisor.status()[0]?.workers.map(({ state }) => state)).toEqual(['idle', 'idle']);
  });

  test('opens again when the probe fails', async () => {
    const { ask, supervisor } = await open({ ...crashes, maxCrashes: 1, coolDownMs: 50 });
    await ask();
    await expect(ask({ exit: 1 })).rejects.toMatchObject({ code: 'worker_exited' });
    await next(supervisor, 'ready');
    const again = next(supervisor, 'circuitOpen');
    await expect(ask({ exit: 1 })).rejects.toMatchObject({ code: 'worker_exited' });
    expect(await again).toMatchObject({ reason: 'probation' });
  });

  test('opens again when the probe cannot start, and is probed again after another cool-down', async () => {
    const flag = path.join(await temporaryFolder(), 'broken');
    const onImport = `import os\nif os.path.exists(${JSON.stringify(flag)}): raise RuntimeError("no licence")`;
    const { ask, supervisor } = await open(
      { ...crashes, maxCrashes: 1, coolDownMs: 50 },
      steeredAlgorithm({ onImport }),
    );
    await ask();
    const opened = next(supervisor, 'circuitOpen');
    await writeFile(flag, '');
    await expect(ask({ exit: 1 })).rejects.toMatchObject({ code: 'worker_exited' });
    expect(await opened).toMatchObject({ reason: 'crashes' });
    expect(await next(supervisor, 'circuitOpen')).toMatchObject({
      reason: 'probation',
      error: { cause: { code: 'start_failed' } },
    });
    await rm(flag);
    await next(supervisor, 'ready');
    expect(await ask()).toMatchObject({ status: 'OK' });
    expect(supervisor.status()[0]).toMatchObject({ circuit: 'closed' });
  });

  test.each(['resetCircuit', 'start'] as const)(
    'closes by hand with %s, which waits for a worker',
    async (by) => {
      const { ask, supervisor } = await open({ ...crashes, maxCrashes: 1, coolDownMs: NOT_WITHIN_THE_TEST });
      await ask();
      const opened = next(supervisor, 'circuitOpen');
      await expect(ask({ exit: 1 })).rejects.toMatchObject({ code: 'worker_exited' });
      await opened;
      const closed = next(supervisor, 'circuitClosed');
      await supervisor[by]('sample', '1.0.0');
      await closed;
      expect(await ask()).toMatchObject({ status: 'OK' });
    },
  );

  test('opens for a package that cannot start: further calls start nothing', async () => {
    const broken = steeredAlgorithm({ onImport: 'raise RuntimeError("no licence")' });
    const { ask, supervisor } = await open({ maxRestarts: 1 }, broken);
    const failed = { code: 'start_failed', message: expect.stringContaining('no licence') as string };
    await expect(ask()).rejects.toMatchObject(failed);
    await expect(ask()).rejects.toMatchObject(failed);
    await expect(ask()).rejects.toMatchObject({ code: 'circuit_open' });
    expect(supervisor.status()).toEqual([]);
    await expect(supervisor.start('sample', '1.0.0')).rejects.toMatchObject(failed);
  });
});

test('a worker that hangs while idle loses its heartbeat and is replaced', async () => {
  const hung = JSON.stringify(path.join(await temporaryFolder(), 'hung'));
  const hang = steeredAlgorithm({
    extra: `
    def on_step_finish(self, *args):
        if self.calls == 1 and not os.path.exists(${hung}):
            open(${hung}, "w").close()
            time.sleep(60)
`,
  });
  const { ask, supervisor } = await open(
    { limits: { heartbeatIntervalMs: 50, heartbeatGraceMs: 1_500 } },
    hang,
  );
  const lost = next(supervisor, 'heartbeatLost');
  await ask();
  expect(await lost).toMatchObject({ worker: 0, error: { code: 'heartbeat_lost' } });
  expect(await ask()).toMatchObject({ status: 'OK', attempts: 1 });
});

test('a start that fails leaves no worker, no mark in the registry and nothing in status', async () => {
  const { registry, supervisor } = await open({ workers: 3 }, 'raise RuntimeError("no licence")');
  await expect(supervisor.start('sample', '1.0.0')).rejects.toMatchObject({ code: 'start_failed' });
  expect(supervisor.status()).toEqual([]);
  expect(await registry.users('sample', '1.0.0')).toEqual([]);
});

test('start of a version that is not deployed is not_found', async () => {
  const { supervisor } = await open();
  await expect(supervisor.start('sample', '9')).rejects.toMatchObject({ code: 'not_found' });
});

/** A pool that writes no picture before it is told to. */
class HeldFrames extends FramePool {
  constructor(readonly released: Promise<unknown>) {
    super();
  }

  override async send(...given: Parameters<FramePool['send']>) {
    await this.released;
    return super.send(...given);
  }
}

test('a first call that cannot start its version is told why, also while its picture is still being written', async () => {
  let release: (value?: unknown) => void = () => undefined;
  const frames = new HeldFrames(new Promise((resolve) => (release = resolve)));
  onTestFinished(() => frames.close());
  const { registry, supervisor } = await openSupervised({ frames });
  await deployVersion(registry, { source: 'raise RuntimeError("no licence")' });
  supervisor.on('state', ({ state }) => {
    if (state === 'stopped') release();
  });
  await expect(supervisor.execute({ target, stepIndex: 1, image, timeoutMs: 15_000 })).rejects.toMatchObject({
    code: 'start_failed',
  });
});
