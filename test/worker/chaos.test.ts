import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { WorkerLimits, WorkerReply, WorkerResources } from '../../src/worker/types.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** What a worker script starts from; what follows in each case is where it goes wrong. */
const PRELUDE = `import json, os, signal, sys, time
def frame(message):
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return len(body).to_bytes(4, "big") + body
def raw(data):
    os.write(1, data)
def say(**message):
    raw(frame(message))
def hello():
    say(type="hello", sdk_version="0", capabilities=["ping", "call"])
def read():
    def exactly(count):
        data = b""
        while len(data) < count:
            chunk = os.read(0, count - len(data))
            if not chunk: sys.exit(0)
            data += chunk
        return data
    return json.loads(exactly(int.from_bytes(exactly(4), "big")))
def pong(message):
    say(type="pong", request_id=message["request_id"])
def answer(to, **fields):
    say(**dict({"type": "result", "request_id": to["request_id"], "status": "OK", "message": "",
                "data": {"result_status": "OK"}}, **fields))
def until_call():
    while True:
        message = read()
        if message["type"] == "ping": pong(message)
        elif message["type"] == "call": return message
        elif message["type"] == "shutdown": sys.exit(0)
def serve(on_call):
    hello()
    while True: on_call(until_call())
`;

interface Misbehaviour {
  /** Body of the script after the prelude; with \`call:\`, the body of what it does with each call. */
  script: string;
  limits?: Partial<WorkerLimits>;
  resources?: WorkerResources;
  /** Everything told besides logs and states, in order. */
  events: string[];
  /** Code of the error, or what the reply holds. */
  outcome: string | Partial<WorkerReply>;
}

const LIMITS: Partial<WorkerLimits> = { executeMs: 20_000, shutdownMs: 300, maxFrameBytes: 4096 };

/** For those that never come to it: everybody else has the time a busy machine needs. */
const SHORT_START: Partial<WorkerLimits> = { helloMs: 1500, loadMs: 1500 };
const SHORT_CALL: Partial<WorkerLimits> = { executeMs: 600 };

async function workerOf({
  script,
  limits,
  resources,
}: Misbehaviour): Promise<{ worker: AlgorithmWorker; events: string[] }> {
  const root = await temporaryFolder();
  const adapter = path.join(root, 'procvision_algorithm_sdk', 'adapter');
  await mkdir(adapter, { recursive: true });
  await writeFile(path.join(root, 'procvision_algorithm_sdk', '__init__.py'), '');
  await writeFile(path.join(adapter, '__init__.py'), '');
  await writeFile(path.join(adapter, '__main__.py'), PRELUDE + script);
  const spec = {
    name: 'chaos',
    version: '1',
    root,
    python: 'python3',
    entryPoint: 'm:C',
    frameDirectory: root,
    resources,
  };
  const worker = new AlgorithmWorker(spec, { ...LIMITS, ...limits });
  const events: string[] = [];
  worker.on('ready', () => events.push('ready'));
  worker.on('strayOutput', () => {
    if (events.at(-1) !== 'stray') events.push('stray');
  });
  worker.on('protocolError', () => events.push('protocolError'));
  worker.on('heartbeatLost', () => events.push('heartbeatLost'));
  worker.on('exit', ({ reason }) => events.push(`exit: ${reason}`));
  onTestFinished(() => worker.stop().then(() => undefined));
  return { worker, events };
}

const onCall = (body: string) =>
  `def on_call(message):\n    ${body.replaceAll('\n', '\n    ')}\nserve(on_call)\n`;

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
        events: ['exit: start failed'],
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
    const { worker, events } = await workerOf({
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
        events: GONE('timeout'),
        outcome: 'timeout',
      },
    ],
    [
      'writes half a frame and dies',
      {
        script: onCall('raw(frame({"type": "result", "request_id": "1"})[:12])\nos._exit(1)'),
        events: GONE('exited'),
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
        resources: { addressSpaceBytes: 1 << 29 },
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
      'floods stderr',
      { script: onCall('os.write(2, b"noise\\n" * 50000)\nanswer(message)'), events: ['ready'], outcome: OK },
    ],
    [
      'writes one endless line to stderr',
      { script: onCall('os.write(2, b"x" * 1000000)\nanswer(message)'), events: ['ready'], outcome: OK },
    ],
  ])('%s', async (_title, misbehaviour) => {
    const { worker, events } = await workerOf({
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

  test('hangs while it is idle: the heartbeat is lost and the process ended', async () => {
    const { worker, events } = await workerOf({
      script: 'hello(); read(); pong(read()); time.sleep(60)',
      limits: { heartbeatIntervalMs: 50, heartbeatGraceMs: 100 },
      events: [],
      outcome: '',
    });
    await worker.start();
    await worker.exited;
    expect(events).toEqual(['ready', 'heartbeatLost', 'exit: heartbeat lost']);
  });

  test.skipIf(process.platform === 'win32').each([
    ['in its own group', ''],
    ['in a session of its own', 'os.setsid(); '],
  ])('leaves a grandchild %s behind: it is gone soon after', async (_title, escape) => {
    const { worker } = await workerOf({
      script: onCall(
        `child = os.fork()\nif child == 0:\n    ${escape}time.sleep(60); os._exit(0)\nanswer(message, message=str(child))\ntime.sleep(0.2)\nos._exit(1)`,
      ),
      events: [],
      outcome: '',
    });
    await worker.start();
    const { message } = await worker.call({ phase: 'execute' });
    await worker.exited;
    await expect.poll(() => isAlive(Number(message))).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
