import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FakeWorker, type FakeWorkerOptions } from '../../src/testing/index.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { WorkerLimits } from '../../src/worker/types.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A fake and one worker of it under the real AlgorithmWorker, with everything the worker tells besides its states. */
async function workerOf(options: FakeWorkerOptions = {}, limits: Partial<WorkerLimits> = {}) {
  const fake = new FakeWorker(options);
  const worker = new AlgorithmWorker(await fake.spec(), { executeMs: 20_000, shutdownMs: 300, ...limits });
  onTestFinished(async () => {
    await worker.stop();
    await fake.close();
  });
  const events: string[] = [];
  worker.on('strayOutput', (text) => events.push(`stray: ${text}`));
  worker.on('log', ({ level, message }) => events.push(`${level}: ${message}`));
  worker.on('protocolError', ({ message }) => events.push(message.replace(/^.* sent /, 'sent ')));
  return { fake, worker, events };
}

async function started(...args: Parameters<typeof workerOf>) {
  const opened = await workerOf(...args);
  await opened.worker.start();
  return { ...opened, execute: () => opened.worker.call({ phase: 'execute' }, { requestId: 'r' }) };
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error as { code: string }).code,
  );

describe('left alone', () => {
  test.each([
    ['phased', '0.0.7', ['pre', 'execute', 'info', 'reset', 'setup'] as const],
    ['execute-only', '0.3.2', ['execute'] as const],
  ] as const)(
    'answers every phase of the %s generation, and leaves with exit code 0',
    async (generation, sdkVersion, phases) => {
      const { fake, worker } = await started({ generation });
      expect(worker.ready).toMatchObject({ generation, sdkVersion, pid: fake.processes[0]?.processId });
      const meta = { width: 2, height: 2, timestamp_ms: 0, camera_id: 'c' };
      for (const phase of phases) {
        expect(await worker.call({ phase, image: { id: 'i', meta } })).toMatchObject({ status: 'OK' });
      }
      expect(await worker.stop()).toMatchObject({ exitCode: 0, reason: 'stopped' });
      expect(fake.calls.map(({ phase }) => phase)).toEqual(phases);
    },
  );

  test('gives the verdict OK and records the call as it came over the wire', async () => {
    const { fake, worker } = await started();
    const reply = await worker.call({
      phase: 'execute',
      productId: 'A01',
      stepIndex: 3,
      userParams: { gain: 2 },
    });
    expect(reply).toMatchObject({
      status: 'OK',
      data: { result_status: 'OK', step_index: 3, phase: 'execute' },
    });
    const [call] = fake.calls;
    expect(call?.data).toMatchObject({
      phase: 'execute',
      pid: 'A01',
      step_index: 3,
      user_params: { gain: 2 },
    });
    expect(call?.requestId).toBe(reply.requestId);
    expect(fake.processes[0]?.messages.map(({ type }) => type)).toEqual(['hello', 'ping', 'call']);
  });

  test('answers pings between calls, and none during a call unless it is to', async () => {
    const { fake, worker } = await started();
    await worker.ping();
    const held = fake.hold();
    const reply = worker.call({ phase: 'execute' });
    const call = await held;
    expect(await codeOf(worker.ping({ timeoutMs: 50 }))).toBe('timeout');
    call.answer();
    await reply;
  });

  test('told to, it answers pings while a call runs', async () => {
    const { fake, worker } = await started({ answersPingsInCalls: true });
    const held = fake.hold();
    const reply = worker.call({ phase: 'execute' });
    const call = await held;
    expect(await worker.ping({ timeoutMs: 10_000 })).toMatchObject({ duringCall: true });
    call.answer();
    await reply;
  });
});

describe('scripted calls', () => {
  test('answers by phase, for once and from then on', async () => {
    const { fake, execute } = await started({ answers: { execute: { message: 'always' } } });
    fake.answerOnce('execute', { message: 'first' }).answerOnce('execute', () => ({ message: 'second' }));
    const messages = [];
    for (let n = 0; n < 4; n++) messages.push((await execute()).message);
    fake.answer('execute', { data: { result_status: 'NG', ng_reason: 'scratch', defect_rects: [] } });
    expect(messages).toEqual(['first', 'second', 'always', 'always']);
    expect((await execute()).data).toMatchObject({ result_status: 'NG', ng_reason: 'scratch' });
  });

  test('what a handler throws is an error frame with 1009; an error of its own keeps its code and class', async () => {
    const { fake, execute } = await started();
    fake.answerOnce('execute', () => {
      throw new Error('the lamp is off');
    });
    fake.answerOnce('execute', { error: 'no memory', errorCode: '1004', exception: 'GPUOutOfMemoryError' });
    const failed = { status: 'ERROR', isErrorFrame: true };
    expect(await execute()).toMatchObject({ ...failed, message: 'the lamp is off', errorCode: '1009' });
    const own = { message: 'no memory', errorCode: '1004', exception: 'GPUOutOfMemoryError' };
    expect(await execute()).toMatchObject({ ...failed, ...own });
  });

  test('a held call is in flight until it is answered', async () => {
    const { fake, worker, execute } = await started();
    const held = fake.hold();
    const reply = execute();
    const call = await held;
    expect(worker.state).toBe('busy');
    call.answer({ message: 'at last' });
    expect(await reply).toMatchObject({ message: 'at last' });
    expect(call.answers).toEqual([{ message: 'at last' }]);
  });

  test('a call that hangs times out, and its process is gone', async () => {
    const { fake, worker, execute } = await started({}, { executeMs: 100 });
    fake.answerOnce('execute', (call) => call.hang());
    expect(await codeOf(execute())).toBe('timeout');
    expect(await worker.exited).toMatchObject({ reason: 'timeout' });
    await fake.processes[0]?.ended;
  });

  test('an answer to another call, and one given twice, are told and dropped', async () => {
    const { fake, execute, events } = await started();
    fake.answerOnce('execute', (call) => {
      call.answer({ requestId: '77' });
      call.answer();
      call.answer();
    });
    expect(await execute()).toMatchObject({ status: 'OK', requestId: 'r' });
    await expect.poll(() => events).toHaveLength(2);
    expect(events[0]).toContain('request 77');
    expect(events[1]).toContain('request r');
  });

  test('what it prints and logs arrives before its answer, in order', async () => {
    const { fake, execute, events } = await started();
    fake.answerOnce('execute', ({ process }) => {
      process.print('checking...');
      process.log('warning', 'the lamp is getting old');
      process.printError('free text\n');
    });
    expect(await execute()).toMatchObject({ status: 'OK' });
    await expect.poll(() => events).toHaveLength(3);
    expect(events.filter((line) => !line.startsWith('stray'))).toEqual([
      'warning: the lamp is getting old',
      'info: free text',
    ]);
    expect(events).toContain('stray: checking...');
  });

  test.each([
    ['half a frame and no more', 'timeout', (bytes: Buffer) => bytes.subarray(0, 9)],
    ['a frame that is not JSON', 'protocol_error', () => Buffer.from('\0\0\0\u0007{broken', 'latin1')],
  ] as const)('%s is %s', async (_title, code, bend) => {
    const { fake, worker } = await started();
    fake.answerOnce('execute', (call) => {
      call.process.write(bend(call.process.frame({ type: 'result', request_id: call.requestId })));
      return call.hang();
    });
    const timeoutMs = code === 'timeout' ? 200 : 20_000;
    expect(await codeOf(worker.call({ phase: 'execute' }, { timeoutMs }))).toBe(code);
  });

  test.each([
    ['exit code 0', 0, null],
    ['exit code 9', 9, null],
  ])('leaves in a call with %s, after what it had to say', async (_title, exitCode, exitSignal) => {
    const { fake, worker, execute } = await started();
    fake.answerOnce('execute', ({ process }) => {
      process.printError('the lamp fell off\n');
      return process.exit(exitCode);
    });
    await expect(execute()).rejects.toMatchObject({
      code: 'worker_exited',
      details: { exitCode, exitSignal, output: ['the lamp fell off'] },
    });
    await worker.exited;
  });

  test.skipIf(process.platform === 'win32').each(['SIGKILL', 'SIGSEGV', 'SIGABRT', 'SIGTERM'] as const)(
    'dies in a call of %s',
    async (signal) => {
      const { fake, execute } = await started();
      fake.answerOnce('execute', (call) => call.process.die(signal));
      await expect(execute()).rejects.toMatchObject({
        code: 'worker_exited',
        details: { exitSignal: signal },
      });
    },
  );

  test('a worker that never reads its input again blocks nobody: a call of 2 MB times out', async () => {
    const { fake, worker } = await started({}, { maxFrameBytes: 8 << 20 });
    fake.processes[0]?.hang();
    const userParams = { text: 'x'.repeat(2 << 20) };
    expect(await codeOf(worker.call({ phase: 'execute', userParams }, { timeoutMs: 200 }))).toBe('timeout');
    expect(fake.calls).toEqual([]);
  });
});

describe('scripted between calls', () => {
  test('hangs while idle: the heartbeat is lost', async () => {
    const { fake, worker } = await started({}, { heartbeatIntervalMs: 50, heartbeatGraceMs: 100 });
    fake.processes[0]?.hang();
    expect(await worker.exited).toMatchObject({ error: { code: 'heartbeat_lost' } });
  });

  test('leaves on command', async () => {
    const { fake, worker } = await started();
    await fake.processes[0]?.exit(3);
    expect(await worker.exited).toMatchObject({ exitCode: 3, reason: 'exited' });
    expect(fake.processes[0]?.hasEnded).toBe(true);
  });

  test('closes its output and lives: the next call times out', async () => {
    const { fake, worker } = await started();
    fake.processes[0]?.closeOutput();
    expect(await codeOf(worker.call({ phase: 'execute' }, { timeoutMs: 200 }))).toBe('timeout');
  });

  test.skipIf(process.platform === 'win32')('deaf to shutdown and SIGTERM, it ends by SIGKILL', async () => {
    const { fake, worker } = await started({}, { shutdownMs: 100 });
    fake.processes[0]?.ignore('SIGTERM');
    fake.processes[0]?.hang();
    expect(await worker.stop()).toMatchObject({ exitSignal: 'SIGKILL' });
  });
});

describe('scripted starts', () => {
  const short = { helloMs: 1_500, loadMs: 1_500 };

  test.each<[string, FakeWorkerOptions, Partial<WorkerLimits>, string]>([
    ['says nothing', { start: () => undefined }, short, 'timeout'],
    [
      'says hello and loads for ever',
      {
        start: (worker) => {
          worker.hello();
          return new Promise(() => undefined);
        },
      },
      short,
      'timeout',
    ],
    ['leaves at once', { start: (worker) => worker.exit(0) }, {}, 'start_failed'],
    [
      'says hello and fails to import',
      {
        start: (worker) => {
          worker.hello();
          throw new Error('no licence');
        },
      },
      {},
      'start_failed',
    ],
    [
      'prints a banner and says hello twice',
      {
        start: (worker) => {
          worker.print('loading...');
          worker.hello({ sdk_version: '9' });
          worker.hello();
        },
      },
      {},
      'none',
    ],
  ])('%s', async (_title, options, limits, code) => {
    const { worker } = await workerOf(options, limits);
    expect(await codeOf(worker.start())).toBe(code);
    if (code === 'none') expect(worker.ready).toMatchObject({ sdkVersion: '9' });
  });

  test('a failed import is told with its text', async () => {
    const { worker } = await workerOf({
      start: (fake) => {
        fake.hello();
        throw new Error('no licence');
      },
    });
    await expect(worker.start()).rejects.toThrow('no licence');
  });
});

describe('its processes', () => {
  test('have the environment of a worker and nothing of the host', async () => {
    process.env.FAKE_WORKER_SECRET = 'secret';
    onTestFinished(() => {
      delete process.env.FAKE_WORKER_SECRET;
    });
    const { fake, worker } = await started();
    const [first] = fake.processes;
    expect(first).toMatchObject({ index: 0, parent: process.pid, directory: worker.spec.root });
    expect(first?.environment).toMatchObject({ PROC_ENV: 'prod', PROC_SHM_DIR: worker.spec.frameDirectory });
    expect(first?.environment).not.toHaveProperty('FAKE_WORKER_SECRET');
  });

  test('go with the fake, and so does its folder; no more can be started', async () => {
    const { fake, worker } = await started();
    fake.processes[0]?.hang();
    const folder = path.dirname(worker.spec.root);
    expect(existsSync(folder)).toBe(true);
    const root = await temporaryFolder();
    await fake.standIn(root);
    await fake.close();
    await worker.exited;
    expect(existsSync(folder)).toBe(false);
    await expect(fake.spec()).rejects.toMatchObject({ code: 'closed' });
    const late = new AlgorithmWorker({ ...worker.spec, root });
    await expect(late.start()).rejects.toThrow('There is no FakeWorker for this process');
  });
});
