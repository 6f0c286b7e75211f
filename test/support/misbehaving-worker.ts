import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { WorkerLimits, WorkerSpec } from '../../src/worker/types.js';
import { temporaryFolder } from './temp-folder.js';

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

/** A process that speaks the worker protocol as badly as its script does. */
export interface MisbehavingSource {
  /** Body of the script, after functions to read and say what the protocol knows. */
  script: string;
  limits?: Partial<WorkerLimits>;
  spec?: Partial<WorkerSpec>;
}

const LIMITS: Partial<WorkerLimits> = { executeMs: 20_000, shutdownMs: 300, maxFrameBytes: 4096 };

/** The worker, not started, and everything it tells besides logs and states, in order. It ends with the test. */
export async function misbehavingWorker({
  script,
  limits,
  spec,
}: MisbehavingSource): Promise<{ worker: AlgorithmWorker; events: string[] }> {
  const root = await temporaryFolder();
  const adapter = path.join(root, 'procvision_algorithm_sdk', 'adapter');
  await mkdir(adapter, { recursive: true });
  await writeFile(path.join(root, 'procvision_algorithm_sdk', '__init__.py'), '');
  await writeFile(path.join(adapter, '__init__.py'), '');
  await writeFile(path.join(adapter, '__main__.py'), PRELUDE + script);
  const whole = {
    name: 'chaos',
    version: '1',
    root,
    python: 'python3',
    entryPoint: 'm:C',
    frameDirectory: root,
  };
  const worker = new AlgorithmWorker({ ...whole, ...spec }, { ...LIMITS, ...limits });
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

/** A script that serves, and does this with each call (`message`). */
export const onCall = (body: string) =>
  `def on_call(message):\n    ${body.replaceAll('\n', '\n    ')}\nserve(on_call)\n`;
