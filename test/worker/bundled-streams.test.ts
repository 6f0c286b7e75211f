import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { assetPath } from '../../src/assets.js';
import { encodeFrame } from '../../src/worker/frame-codec.js';
import { MessageReader } from '../../src/worker/conversation.js';
import type { WorkerMessage } from '../../src/worker/messages.js';
import { algorithmFolder } from '../support/algorithm-folder.js';
import { phasedSource, startBundled } from '../support/bundled-worker.js';

test.runIf(process.platform !== 'win32').each([
  ['print()', 'print("said it")'],
  ['C code', 'ctypes.CDLL(None).puts(b"said it"); ctypes.CDLL(None).fflush(None)'],
  ['a write to descriptor 1', 'os.write(1, b"said it\\n")'],
  ['a subprocess', 'subprocess.run(["echo", "said it"])'],
  ['half a frame', 'os.write(1, b"\\x00\\x00\\x00\\x20{ said it\\n")'],
])('what %s writes to stdout goes to the log, and no answer is lost', async (_title, writing) => {
  const { worker } = await startBundled(
    phasedSource(`${writing}\nreturn ok()`, 'import ctypes, os, subprocess'),
  );
  const logs: string[] = [];
  const odd: unknown[] = [];
  worker.on('log', ({ message }) => logs.push(message));
  worker.on('strayOutput', (text) => odd.push(text));
  worker.on('protocolError', (error) => odd.push(error));
  for (let call = 0; call < 3; call++) expect((await worker.call({ phase: 'execute' })).status).toBe('OK');
  await expect.poll(() => logs.filter((line) => line.includes('said it')).length).toBe(3);
  expect(odd).toEqual([]);
});

test.runIf(process.platform !== 'win32')(
  'an algorithm that reads from stdin, and its children, find it empty, and take no call away',
  async () => {
    const body = `text = sys.stdin.read()
child = subprocess.run(["cat"], stdout=subprocess.PIPE).stdout
return ok(text=text, child=len(child))`;
    const { worker } = await startBundled(phasedSource(body, 'import subprocess, sys'));
    for (let call = 0; call < 3; call++) {
      expect((await worker.call({ phase: 'execute' })).data.debug).toEqual({ text: '', child: 0 });
    }
  },
);

test('no child of the algorithm holds the pipes of the protocol', async () => {
  const body = 'return ok(pipes=[fd for fd in range(3, 64) if inherited(fd)])';
  const head = `import os
def inherited(fd):
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False
`;
  const { worker } = await startBundled(phasedSource(body, head));
  expect((await worker.call({ phase: 'execute' })).data.debug).toEqual({ pipes: [] });
});

test('uses nothing but the standard library, and NumPy or Pillow only where they are', () => {
  const allowed = new Set([
    ...[
      'ast',
      'collections',
      'importlib',
      'importlib.metadata',
      'json',
      'mmap',
      'msvcrt',
      'os',
      'queue',
      'hashlib',
      'operator',
      'stat',
      'traceback',
      'io',
      'zlib',
      '_socket',
      '_thread',
      'ctypes',
      'resource',
    ],
    ...['re', 'select', 'sys', 'tempfile', 'threading', 'time', 'numpy', 'PIL', 'procvision_bundled_worker'],
  ]);
  const folder = assetPath('worker/bundled/procvision_bundled_worker');
  for (const module of readdirSync(folder).filter((name) => name.endsWith('.py'))) {
    const source = readFileSync(path.join(folder, module), 'utf8');
    for (const [, imported = ''] of source.matchAll(/^\s*(?:import|from) ([\w.]+)/gm)) {
      if (!imported.startsWith('.')) expect([...allowed]).toContain(imported);
    }
  }
});

/** Where the system does not tell whether a pipe has something to read, as on Windows: a thread reads. */
describe('with a thread that reads', () => {
  const bundled = path.dirname(assetPath('worker/bundled/main.py'));

  async function start(source: string) {
    const { root, python } = await algorithmFolder(source);
    const script = `import sys
sys.path.insert(0, ${JSON.stringify(bundled)})
from procvision_bundled_worker import runner
names = {}
for file in ${JSON.stringify([assetPath('process/log_pipe.py'), assetPath('worker/protocol_pipes.py')])}:
    exec(open(file).read(), names)
runner.main(names["ProtocolPipes"](names["LogPipe"]()).take(lambda: None), can_poll=False)`;
    const child = spawn(python, ['-c', script, '--entry', 'main:Algorithm'], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    child.stdin.write(encodeFrame({ type: 'launcher', log_pipe: false, max_frame_bytes: 1 << 20 }, 1 << 20));
    const messages: WorkerMessage[] = [];
    const reader = new MessageReader(1 << 20, {
      message: (message) => message.type === 'launcher' || messages.push(message),
      stray: (text) => expect.fail(text),
    });
    child.stdout.on('data', (chunk: Buffer) => {
      reader.push(chunk);
    });
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    return {
      messages,
      exited,
      send: (message: object) => child.stdin.write(encodeFrame(message, 1 << 20)),
      end: () => child.stdin.end(),
    };
  }
  const call = (id: string) => ({ type: 'call', request_id: id, data: { phase: 'execute' } });
  const pingOf = (id: string) => ({ type: 'ping', request_id: id });

  test('calls are answered in turn, pings at once, also while a call runs, and shutdown at the end', async () => {
    const worker = await start(phasedSource('time.sleep(0.4)\nreturn ok()'));
    worker.send(pingOf('first'));
    await expect
      .poll(() => worker.messages.map(({ type }) => type), { timeout: 20_000 })
      .toEqual(['hello', 'pong']);
    worker.send(call('a'));
    worker.send(call('b'));
    worker.send(pingOf('second'));
    await expect.poll(() => worker.messages.length, { timeout: 20_000 }).toBe(5);
    worker.send({ type: 'shutdown' });
    expect(await worker.exited).toBe(0);
    expect(worker.messages.slice(2)).toMatchObject([
      { type: 'pong', requestId: 'second' },
      { type: 'result', requestId: 'a' },
      { type: 'result', requestId: 'b' },
      { type: 'shutdown' },
    ]);
  });

  test('the end of its input is the end of it', async () => {
    const worker = await start(phasedSource('return ok()'));
    worker.send(call('a'));
    worker.end();
    expect(await worker.exited).toBe(0);
    expect(worker.messages.map(({ type }) => type)).toEqual(['hello', 'result']);
  });
});
