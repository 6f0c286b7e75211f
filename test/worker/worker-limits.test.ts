import { statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { CallPhase, WorkerLimits } from '../../src/worker/types.js';
import { misbehavingWorker, onCall } from '../support/misbehaving-worker.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { IS_WINDOWS } from '../support/platform.js';

const FOREVER = 'time.sleep(60)';

/** Nothing else happens in this process for so long: when it is over, the timers of the loop come before its pipes. */
async function holdUp(ms: number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** The first lines of a script whose worker counts the pings that it reads, and the count. */
async function countedPings(): Promise<{ script: string; count: () => number }> {
  const file = path.join(await temporaryFolder(), 'pings');
  await writeFile(file, '');
  const script = `plain_read = read
def read():
    message = plain_read()
    if message["type"] == "ping":
        with open(${JSON.stringify(file)}, "a") as counted: counted.write(".")
    return message
`;
  return { script, count: () => statSync(file).size };
}

describe('each limit is its own', () => {
  const LONG: Partial<WorkerLimits> = {
    helloMs: 60_000,
    loadMs: 60_000,
    preMs: 60_000,
    executeMs: 60_000,
    infoMs: 60_000,
  };

  test.each<[keyof WorkerLimits, string, string]>([
    ['helloMs', FOREVER, 'say hello'],
    ['loadMs', `hello(); ${FOREVER}`, 'load the algorithm'],
  ])('%s ends a start that takes longer, and names what was late', async (limit, script, stage) => {
    const { worker } = await misbehavingWorker({ script, limits: { ...LONG, [limit]: 300 } });
    if (limit === 'loadMs') expect(worker.limits.helloMs).toBe(60_000);
    await expect(worker.start()).rejects.toMatchObject({
      code: 'timeout',
      details: { stage, timeoutMs: 300 },
    });
    expect(worker.state).toBe('exited');
  });

  test('a load that takes longer is named with the last lines of stderr', async () => {
    const script = `hello(); sys.stderr.write("reading weights from /mnt/models\\n"); sys.stderr.flush(); ${FOREVER}`;
    const { worker } = await misbehavingWorker({ script, limits: { ...LONG, loadMs: 2_000 } });
    await expect(worker.start()).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('reading weights from /mnt/models') as string,
      details: { output: ['reading weights from /mnt/models'] },
    });
  });

  test.each<[keyof WorkerLimits, CallPhase]>([
    ['preMs', 'pre'],
    ['executeMs', 'execute'],
    ['infoMs', 'info'],
    ['infoMs', 'reset'],
  ])('%s ends a call of phase %s that takes longer', async (limit, phase) => {
    const { worker } = await misbehavingWorker({
      script: onCall(FOREVER),
      limits: { ...LONG, [limit]: 300 },
    });
    await worker.start();
    await expect(worker.call({ phase })).rejects.toMatchObject({
      code: 'timeout',
      details: { stage: `answer ${phase}`, timeoutMs: 300 },
    });
  });

  test('a limit of a call of its own goes before that of its phase', async () => {
    const { worker } = await misbehavingWorker({ script: onCall(FOREVER), limits: LONG });
    await worker.start();
    await expect(worker.call({ phase: 'execute' }, { timeoutMs: 250 })).rejects.toMatchObject({
      details: { timeoutMs: 250 },
    });
  });

  test.each([
    [{ helloMs: 0 }, 'helloMs'],
    [{ executeMs: NaN }, 'executeMs'],
    [{ maxFrameBytes: 2 ** 24 }, 'maxFrameBytes'],
  ])('%o is refused by name', (limits, name) => {
    const spec = { name: 'a', version: '1', root: '/', python: 'python3', entryPoint: 'm:C' };
    expect(() => new AlgorithmWorker({ ...spec, frameDirectory: '/' }, limits)).toThrow(
      expect.objectContaining({ code: 'invalid_params', details: { path: name } }),
    );
  });
});

describe('the heartbeat', () => {
  const BEATING: Partial<WorkerLimits> = { heartbeatIntervalMs: 50, heartbeatGraceMs: 400 };

  test('stands still while a call runs that takes longer than interval and grace, and goes on afterwards', async () => {
    const beats = await countedPings();
    const { worker, events } = await misbehavingWorker({
      script: `${beats.script}${onCall('time.sleep(1)\nanswer(message)')}`,
      limits: { ...BEATING, heartbeatGraceMs: 300 },
    });
    await worker.start();
    expect(await worker.call({ phase: 'execute' })).toMatchObject({ status: 'OK' });
    const before = beats.count();
    await expect.poll(beats.count).toBeGreaterThan(before + 5);
    expect(worker.state).toBe('idle');
    if (IS_WINDOWS) return; // it has no SIGSTOP
    if (worker.processId !== undefined) process.kill(worker.processId, 'SIGSTOP');
    expect(await worker.exited).toMatchObject({ reason: 'heartbeat lost' });
    expect(events).toEqual(['ready', 'heartbeatLost', 'exit: heartbeat lost']);
  });

  test('is not lost by a host that was held up while the pong lay in the pipe', async () => {
    const beats = await countedPings();
    const { worker, events } = await misbehavingWorker({
      script: `${beats.script}hello(); read(); pong(read())
while True:
    message = read()
    time.sleep(0.1)
    if message["type"] == "ping": pong(message)
    else: sys.exit(0)`,
      limits: BEATING,
    });
    await worker.start();
    for (let beat = 0; beat < 3; beat++) {
      const before = beats.count();
      await expect.poll(beats.count, { interval: 5 }).toBeGreaterThan(before); // its pong comes 100 ms later
      await holdUp(600);
    }
    const before = beats.count();
    await expect.poll(beats.count).toBeGreaterThan(before);
    expect([worker.state, events]).toEqual(['idle', ['ready']]);
  });
});

test('an answer that lay in the pipe while the host was held up past the limit is no timeout', async () => {
  const { worker, events } = await misbehavingWorker({
    script: onCall('sys.stderr.write("has it\\n")\nsys.stderr.flush()\ntime.sleep(0.1)\nanswer(message)'),
    limits: { executeMs: 400 },
  });
  await worker.start();
  const isAsked = new Promise((resolve) => worker.once('log', resolve));
  const call = worker.call({ phase: 'execute' });
  await isAsked;
  await holdUp(700);
  expect(await call).toMatchObject({ status: 'OK' });
  expect([worker.state, events]).toEqual(['idle', ['ready']]);
});

describe('a worker that reads nothing', () => {
  const DEAF = `hello(); read(); pong(read()); ${FOREVER}`;
  const limits: Partial<WorkerLimits> = { maxFrameBytes: 4 << 20, executeMs: 400 };

  test('does not hold up the host with a call larger than the pipe: it waits in memory until its limit', async () => {
    const { worker } = await misbehavingWorker({ script: DEAF, limits });
    await worker.start();
    // A write that blocked would never come back: nobody reads.
    const call = worker.call({ phase: 'execute', userParams: { text: 'x'.repeat(3 << 20) } });
    expect(worker.state).toBe('busy');
    await expect(call).rejects.toMatchObject({ code: 'timeout' });
    expect(await worker.exited).toMatchObject({ reason: 'timeout' });
  });

  test('a call that is over the ceiling is refused before a byte of it is written', async () => {
    const { worker } = await misbehavingWorker({ script: DEAF, limits });
    await worker.start();
    const call = worker.call({ phase: 'execute', userParams: { text: 'x'.repeat(5 << 20) } });
    await expect(call).rejects.toMatchObject({ code: 'invalid_params' });
    expect(worker.state).toBe('idle');
  });
});

test.each<[string, unknown]>([
  ['a bigint', 1n],
  ['an object that holds itself', Object.assign({}, { self: undefined })],
])('a call with %s in it is invalid_params, and the worker takes the next', async (_, value) => {
  if (typeof value === 'object' && value !== null) Object.assign(value, { self: value });
  const { worker } = await misbehavingWorker({ script: onCall('answer(message)') });
  await worker.start();
  await expect(worker.call({ phase: 'execute', userParams: { value } })).rejects.toMatchObject({
    code: 'invalid_params',
    cause: expect.any(TypeError) as unknown,
  });
  expect(await worker.call({ phase: 'execute' })).toMatchObject({ status: 'OK' });
});

test('a second call while one runs is queue_full, and disturbs the first in nothing', async () => {
  const { worker } = await misbehavingWorker({ script: onCall('time.sleep(0.3)\nanswer(message)') });
  await worker.start();
  const first = worker.call({ phase: 'execute' });
  await expect(worker.call({ phase: 'execute' })).rejects.toMatchObject({ code: 'queue_full' });
  expect(await first).toMatchObject({ status: 'OK' });
});
