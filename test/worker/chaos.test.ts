import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { WorkerLimits, WorkerReply } from '../../src/worker/types.js';
import { misbehavingWorker, onCall, type MisbehavingSource } from '../support/misbehaving-worker.js';
import { IS_WINE } from '../support/platform.js';

interface Misbehaviour extends MisbehavingSource {
  /** Everything told besides logs and states, in order. */
  events: string[];
  /** Code of the error, or what the reply holds. */
  outcome: string | Partial<WorkerReply>;
}

/** For those that never come to it: everybody else has the time a busy machine needs. */
const SHORT_START: Partial<WorkerLimits> = { helloMs: 1500, loadMs: 1500 };
const SHORT_CALL: Partial<WorkerLimits> = { executeMs: 600 };

describe('a worker that misbehaves as it starts', () => {
  test.each<[string, Misbehaviour]>([
    [
      'leaves at once with exit code 0',
      { script: 'sys.exit(0)', events: ['exit: exited'], outcome: 'start_failed' },
    ],
    [
      'leaves at once with exit code 3',
      { script: 'sys.exit(3)', events: ['exit: exited'], outcome: 'start_failed' },
    ],
    [
      'raises at once',
      { script: 'raise RuntimeError("no licence")', events: ['exit: exited'], outcome: 'start_failed' },
    ],
    [
      'dies of a signal',
      { script: 'os.kill(os.getpid(), signal.SIGSEGV)', events: ['exit: exited'], outcome: 'start_failed' },
    ],
    ['says nothing', { script: 'time.sleep(60)', events: ['exit: start failed'], outcome: 'timeout' }],
    [
      'says half a hello and no more',
      {
        script: 'raw(frame({"type": "hello"})[:9]); time.sleep(60)',
        limits: { helloMs: 5000 },
        events: ['protocolError', 'exit: start failed'],
        outcome: 'timeout',
      },
    ],
    [
      'closes stdout and lives',
      { script: 'os.close(1); time.sleep(60)', events: ['exit: start failed'], outcome: 'timeout' },
    ],
    ['says hello and leaves', { script: 'hello()', events: ['exit: exited'], outcome: 'start_failed' }],
    [
      'says hello and loads for ever',
      { script: 'hello(); time.sleep(60)', events: ['exit: start failed'], outcome: 'timeout' },
    ],
    [
      'spins in native code while it loads',
      { script: 'hello()\nwhile True: pass', events: ['exit: start failed'], outcome: 'timeout' },
    ],
    [
      'says hello, then an error that belongs to no call, and leaves with exit code 0',
      {
        script:
          'hello(); say(type="error", request_id=None, status="ERROR", message="no module", error_code="1000")',
        events: ['exit: start failed'],
        outcome: 'start_failed',
      },
    ],
    [
      'answers the first ping with another id',
      {
        script: 'hello(); read(); read(); say(type="pong", request_id="x"); time.sleep(60)',
        limits: { helloMs: 10_000, loadMs: 2000 },
        events: ['protocolError', 'exit: start failed'],
        outcome: 'timeout',
      },
    ],
    [
      'says hello twice',
      { script: 'hello(); hello(); until_call()', events: ['protocolError', 'ready'], outcome: 'ready' },
    ],
    [
      'says hello twice in one breath',
      {
        script:
          'raw(frame({"type": "hello", "sdk_version": "0", "capabilities": ["ping", "call"]}) * 2); until_call()',
        events: ['protocolError', 'ready'],
        outcome: 'ready',
      },
    ],
    [
      'prints a banner before its hello',
      {
        script: 'raw(b"loading " * 500); hello(); until_call()',
        events: ['stray', 'ready'],
        outcome: 'ready',
      },
    ],
    [
      'is slow to say hello, within its time',
      { script: 'time.sleep(0.7); hello(); until_call()', events: ['ready'], outcome: 'ready' },
    ],
  ])('%s', async (_title, misbehaviour) => {
    const { worker, events } = await misbehavingWorker({
      ...misbehaviour,
      limits: { ...(misbehaviour.outcome === 'timeout' && SHORT_START), ...misbehaviour.limits },
    });
    const outcome = await worker.start().then(
      () => 'ready',
      (error: unknown) => (error as { code: string }).code,
    );
    expect({ outcome, events }).toEqual({ outcome: misbehaviour.outcome, events: misbehaviour.events });
  });
});

const OK = { status: 'OK' } as const;
const GONE = (reason: string) => ['ready', `exit: ${reason}`];

describe('a worker that misbehaves in a call', () => {
  test.each<[string, Misbehaviour]>([
    ['never answers', { script: onCall('time.sleep(60)'), events: GONE('timeout'), outcome: 'timeout' }],
    [
      'spins with the interpreter held',
      { script: onCall('while True: pass'), events: GONE('timeout'), outcome: 'timeout' },
    ],
    [
      'ignores SIGTERM as well',
      {
        script: `signal.signal(signal.SIGTERM, signal.SIG_IGN)\n${onCall('time.sleep(60)')}`,
        events: GONE('timeout'),
        outcome: 'timeout',
      },
    ],
    [
      'closes stdout and lives',
      { script: onCall('os.close(1)\ntime.sleep(60)'), events: GONE('timeout'), outcome: 'timeout' },
    ],
    [
      'never reads its input again',
      {
        script: 'hello(); read(); pong(read()); time.sleep(60)',
        events: GONE('timeout'),
        outcome: 'timeout',
      },
    ],
    [
      'leaves with exit code 0',
      { script: onCall('sys.exit(0)'), events: GONE('exited'), outcome: 'worker_exited' },
    ],
    [
      'leaves with exit code 9',
      { script: onCall('os._exit(9)'), events: GONE('exited'), outcome: 'worker_exited' },
    ],
    [
      'dies of SIGKILL',
      {
        script: onCall('os.kill(os.getpid(), signal.SIGKILL)'),
        events: GONE('exited'),
        outcome: 'worker_exited',
      },
    ],
    ['aborts in C', { script: onCall('os.abort()'), events: GONE('exited'), outcome: 'worker_exited' }],
    [
      'writes half a frame and no more',
      {
        script: onCall('raw(frame({"type": "result", "request_id": "1"})[:12])\ntime.sleep(60)'),
        events: ['ready', 'protocolError', 'exit: timeout'],
        outcome: 'timeout',
      },
    ],
    [
      'writes half a frame and dies',
      {
        script: onCall('raw(frame({"type": "result", "request_id": "1"})[:12])\nos._exit(1)'),
        events: ['ready', 'protocolError', 'exit: exited'],
        outcome: 'worker_exited',
      },
    ],
    [
      'answers and leaves',
      { script: onCall('answer(message)\nos._exit(0)'), events: GONE('exited'), outcome: OK },
    ],
    [
      'allocates without end under a limit',
      {
        script: onCall('keep = []\nwhile True: keep.append(bytearray(1 << 24))'),
        spec: { resources: { addressSpaceBytes: 1 << 29 } },
        events: GONE('exited'),
        outcome: 'worker_exited',
      },
    ],
    [
      'answers with a frame that is not JSON',
      {
        script: onCall('raw(frame(b"{broken"))\ntime.sleep(60)'),
        events: ['ready', 'protocolError', 'exit: protocol error'],
        outcome: 'protocol_error',
      },
    ],
    [
      'answers with a frame over the ceiling',
      {
        script: onCall('answer(message, message="x" * 5000)\ntime.sleep(60)'),
        events: ['ready', 'protocolError', 'exit: protocol error'],
        outcome: 'protocol_error',
      },
    ],
    [
      'answers without a request id',
      {
        script: onCall('say(type="result", status="OK")\ntime.sleep(60)'),
        events: ['ready', 'protocolError', 'exit: protocol error'],
        outcome: 'protocol_error',
      },
    ],
    [
      'answers the previous call',
      {
        script: onCall('answer(message, request_id="0")\ntime.sleep(60)'),
        limits: { executeMs: 2000 },
        events: ['ready', 'protocolError', 'exit: timeout'],
        outcome: 'timeout',
      },
    ],
    [
      'answers another call first',
      {
        script: onCall('answer(message, request_id="77")\nanswer(message)'),
        events: ['ready', 'protocolError'],
        outcome: OK,
      },
    ],
    [
      'answers twice',
      {
        script: onCall(
          'raw(frame({"type": "result", "request_id": message["request_id"], "status": "OK", "data": {}}) * 2)',
        ),
        events: ['ready', 'protocolError'],
        outcome: OK,
      },
    ],
    [
      'answers with a status of its own',
      { script: onCall('answer(message, status="GREAT")'), events: ['ready'], outcome: 'contract_violation' },
    ],
    [
      'answers with an error frame',
      {
        script: onCall(
          'say(type="error", request_id=message["request_id"], message="dark", error_code="1009")',
        ),
        events: ['ready'],
        outcome: { status: 'ERROR', errorCode: '1009', message: 'dark' },
      },
    ],
    [
      'answers with NaN',
      {
        script: onCall('answer(message, data={"result_status": "OK", "debug": float("nan")})'),
        events: ['ready'],
        outcome: { status: 'OK', nonFinite: ['data.debug'] },
      },
    ],
    [
      'writes a frame that is a list',
      { script: onCall('raw(frame(b"[1]"))\nanswer(message)'), events: ['ready', 'stray'], outcome: OK },
    ],
    [
      'writes a frame of an unknown type',
      {
        script: onCall('say(type="progress")\nanswer(message)'),
        events: ['ready', 'protocolError'],
        outcome: OK,
      },
    ],
    [
      'writes a frame of length 0',
      { script: onCall('raw(bytes(4))\nanswer(message)'), events: ['ready', 'protocolError'], outcome: OK },
    ],
    [
      'sends an error that belongs to no call',
      {
        script: onCall('say(type="error", request_id=None, message="by the way")\nanswer(message)'),
        events: ['ready', 'protocolError'],
        outcome: OK,
      },
    ],
    [
      'sends a pong nobody asked for',
      {
        script: onCall('say(type="pong", request_id="x")\nanswer(message)'),
        events: ['ready', 'protocolError'],
        outcome: OK,
      },
    ],
    [
      'prints before its answer',
      { script: onCall('raw(b"checking...\\n")\nanswer(message)'), events: ['ready', 'stray'], outcome: OK },
    ],
    [
      'prints in the middle of nothing, without a newline',
      {
        script: onCall('raw(b"{")\nraw(b"\\xff\\xfe done")\nanswer(message)'),
        events: ['ready', 'stray'],
        outcome: OK,
      },
    ],
    [
      'says hello again',
      { script: onCall('hello()\nanswer(message)'), events: ['ready', 'protocolError'], outcome: OK },
    ],
    [
      'says that it shuts down, and does not',
      { script: onCall('say(type="shutdown")\nanswer(message)'), events: ['ready'], outcome: OK },
    ],
    [
      'pings the host',
      {
        script: onCall('say(type="ping", request_id="x")\nanswer(message)'),
        events: ['ready', 'protocolError'],
        outcome: OK,
      },
    ],
    [
      'closes its input, answers, and lives',
      { script: onCall('os.close(0)\nanswer(message)\ntime.sleep(60)'), events: ['ready'], outcome: OK },
    ],
    [
      'floods stdout with text',
      {
        script: onCall('for n in range(200): raw(b"noise " * 1000)\nanswer(message)'),
        events: ['ready', 'stray'],
        outcome: OK,
      },
    ],
    [
      'floods stderr',
      { script: onCall('os.write(2, b"noise\\n" * 50000)\nanswer(message)'), events: ['ready'], outcome: OK },
    ],
    [
      'writes one endless line to stderr',
      { script: onCall('os.write(2, b"x" * 1000000)\nanswer(message)'), events: ['ready'], outcome: OK },
    ],
  ])('%s', async (title, misbehaviour) => {
    if (IS_WINE && title.startsWith('allocates')) return; // its jobs take a limit of memory and do not hold it
    const { worker, events } = await misbehavingWorker({
      ...misbehaviour,
      limits: { ...(misbehaviour.outcome === 'timeout' && SHORT_CALL), ...misbehaviour.limits },
    });
    await worker.start();
    const outcome: unknown = await worker
      .call({ phase: 'execute' }, { requestId: '1' })
      .catch((error: unknown) => (error as { code: string }).code);
    if (misbehaviour.events.at(-1)?.startsWith('exit')) await worker.exited;
    else if (misbehaviour.events.length > 1) await expect.poll(() => events).toEqual(misbehaviour.events);
    if (typeof misbehaviour.outcome === 'string') expect(outcome).toBe(misbehaviour.outcome);
    else expect(outcome).toMatchObject(misbehaviour.outcome);
    expect(events).toEqual(misbehaviour.events);
  });

  test('leaves while it is idle: the exit has its code, its last lines and worker_exited', async () => {
    const { worker, events } = await misbehavingWorker({
      script: 'hello(); read(); pong(read()); os.write(2, b"out of film"); sys.exit(4)',
    });
    await worker.start();
    expect(await worker.exited).toMatchObject({
      exitCode: 4,
      lastLines: ['out of film'],
      error: { code: 'worker_exited', details: { exitCode: 4, output: ['out of film'] } },
    });
    expect(events).toEqual(['ready', 'exit: exited']);
  });

  test('answers a call that was never made: it is told of, and the next call gets its own answer', async () => {
    const { worker, events } = await misbehavingWorker({
      script: `hello(); read(); pong(read())
say(type="result", request_id="1", status="OK", data={"stale": True})
answer(until_call(), data={"stale": False})
until_call()`,
    });
    await worker.start();
    // Which is read first is up to the pipe: the pong may come together with it.
    await expect.poll(() => [...events].sort()).toEqual(['protocolError', 'ready']);
    expect(await worker.call({ phase: 'execute' }, { requestId: '1' })).toMatchObject({
      data: { stale: false },
    });
  });

  test('hangs while it is idle: the heartbeat is lost and the process ended', async () => {
    const { worker, events } = await misbehavingWorker({
      script: 'hello(); read(); pong(read()); time.sleep(60)',
      limits: { heartbeatIntervalMs: 50, heartbeatGraceMs: 100 },
    });
    await worker.start();
    await worker.exited;
    expect(events).toEqual(['ready', 'heartbeatLost', 'exit: heartbeat lost']);
  });

  describe.skipIf(process.platform === 'win32').each(['auto', 'off'] as const)(
    'with namespaces %s',
    (namespaces) => {
      test.each([
        ['in its own group', ''],
        ['in a session of its own', 'os.setsid(); '],
      ])('leaves a grandchild %s behind: it is gone with the worker', async (_title, escape) => {
        const mark = `60.${Math.random().toFixed(12).slice(2)}`;
        const { worker } = await misbehavingWorker({
          script: onCall(
            `child = os.fork()\nif child == 0:\n    ${escape}os.execvp("sleep", ["sleep", "${mark}"])\nanswer(message)\ntime.sleep(0.2)\nos._exit(1)`,
          ),
          spec: { namespaces },
        });
        await worker.start();
        await worker.call({ phase: 'execute' });
        await worker.exited;
        expect(await worker.exited).toMatchObject({ exitCode: 1, exitSignal: null });
        expect(execFileSync('ps', ['ax', '-o', 'args']).toString()).not.toContain(mark);
      });
    },
  );
});
