import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { npyHeader } from '../../src/frames/npy.js';
import { sampleAlgorithm } from '../../src/testing/index.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { WorkerLimits } from '../../src/worker/types.js';
import { algorithmFolder } from '../support/algorithm-folder.js';
import { IS_WINDOWS, IS_WINE } from '../support/platform.js';

const sample = sampleAlgorithm({ generation: 'phased', name: 'sample', version: '1', productIds: ['A'] });
const image = { id: 'own', meta: { width: 2, height: 2, timestamp_ms: 0, camera_id: 'c' } };

async function startWorker(source = sample, limits: Partial<WorkerLimits> = {}): Promise<AlgorithmWorker> {
  const spec = await algorithmFolder(source);
  await writeFile(
    path.join(spec.frameDirectory, 'own.npy'),
    Buffer.concat([npyHeader(2, 2, 3), Buffer.alloc(12)]),
  );
  const worker = new AlgorithmWorker(spec, { shutdownMs: 1000, ...limits });
  onTestFinished(() => worker.stop().then(() => undefined));
  await worker.start();
  return worker;
}

test('is ready after hello and the first pong, answers calls, and leaves with exit code 0', async () => {
  const worker = await startWorker();
  expect(worker.ready).toMatchObject({ generation: 'phased', pid: worker.processId });
  const info = await worker.call({ phase: 'info' });
  expect(info).toMatchObject({ status: 'OK', data: { info: { name: 'sample' } } });
  const reply = await worker.call({ phase: 'execute', image, session: { id: 's', context: { a: 1 } } });
  expect(reply.data.debug).toMatchObject({ size: 12, session: 's', context: { a: 1 } });
  expect(await worker.stop()).toMatchObject({ exitCode: 0, reason: 'stopped' });
});

test('an algorithm that raises is answered with status ERROR, its text and 1009', async () => {
  const worker = await startWorker();
  const reply = await worker.call({ phase: 'execute', image, userParams: { raise: 'lamp' } });
  expect(reply).toMatchObject({ status: 'ERROR', message: 'lamp', errorCode: '1009', isErrorFrame: true });
});

test('an import that raises fails the start with start_failed and the text of the exception', async () => {
  const worker = new AlgorithmWorker(await algorithmFolder('raise RuntimeError("no licence")'));
  await expect(worker.start()).rejects.toMatchObject({
    code: 'start_failed',
    message: expect.stringContaining('no licence') as string,
  });
  expect(worker.state).toBe('exited');
});

test('a folder that is not there fails the start with start_failed that names it, not the command alone', async () => {
  const folder = await algorithmFolder('');
  const worker = new AlgorithmWorker({ ...folder, root: `${folder.root}/gone` });
  await expect(worker.start()).rejects.toMatchObject({
    code: 'start_failed',
    message: expect.stringMatching(
      /The folder .*gone is not there: if an install was cut off, recover\(\) of a Deployer/,
    ) as string,
  });
});

// Only POSIX counts the bytes of the environment in.
test.skipIf(IS_WINDOWS)(
  'a command that the system refuses at once fails the start with start_failed',
  async () => {
    const folder = await algorithmFolder('');
    const worker = new AlgorithmWorker({ ...folder, env: { BIG: 'x'.repeat(2 ** 22) } });
    await expect(worker.start()).rejects.toMatchObject({
      code: 'start_failed',
      message: expect.stringContaining('E2BIG') as string,
      details: { path: folder.python },
    });
    expect(worker.state).toBe('exited');
  },
);

test('a call past its limit is rejected with timeout at once, and the process ends', async () => {
  const worker = await startWorker();
  const call = worker.call({ phase: 'execute', image, userParams: { sleep_ms: 60_000 } }, { timeoutMs: 100 });
  await expect(call).rejects.toMatchObject({ code: 'timeout', details: { timeoutMs: 100 } });
  expect(await worker.exited).toMatchObject({ reason: 'timeout' });
  await expect(worker.call({ phase: 'execute', image })).rejects.toMatchObject({ code: 'closed' });
});

test('a call that ends while its picture is still being written to a file is rejected to its caller alone', async () => {
  const worker = await startWorker();
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', onUnhandled);
  onTestFinished(() => void process.off('unhandledRejection', onUnhandled));
  // The disk has taken the picture when the process of the call that was too late is long gone.
  const deliver = () => worker.exited.then(() => new Promise<void>((resolve) => setImmediate(resolve)));
  const call = worker.call({ phase: 'execute', image: { ...image, deliver } }, { timeoutMs: 20 });
  await expect(call).rejects.toMatchObject({ code: 'timeout' });
  expect(unhandled).toEqual([]);
});

test('an aborted call is rejected with an AbortError, and the process ends', async () => {
  const worker = await startWorker();
  const controller = new AbortController();
  const call = worker.call(
    { phase: 'execute', image, userParams: { sleep_ms: 60_000 } },
    { signal: controller.signal },
  );
  controller.abort();
  await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  expect(await worker.exited).toMatchObject({ reason: 'aborted' });
});

test('a worker that dies in a call rejects it with worker_exited, its exit code and its last lines', async () => {
  const source = sample.replace(
    'pixels = bytes(image)',
    'import os, sys; sys.stderr.write("bad disk\\n"); os._exit(3)',
  );
  const worker = await startWorker(source);
  await expect(worker.call({ phase: 'execute', image })).rejects.toMatchObject({
    code: 'worker_exited',
    details: { exitCode: 3, output: ['bad disk'] },
  });
});

test.each([
  ['a progress bar by carriage returns', 'for n in range(4000): w("\\r%d%% %s" % (n, "#" * 40))'],
  ['a flood of lines', `for n in range(${IS_WINE ? 5_000 : 200_000}): w("warning %d\\n" % n)`],
  ['a line of 4 MB without an end', 'w("x" * (4 << 20))'],
])('the last lines before a death are those behind %s', async (_title, noise) => {
  const body = `import os, sys; w = sys.stderr.write\n    ${noise}\n    w("\\nno lamp\\nno verdict\\n"); sys.stderr.flush(); os._exit(3)`;
  const worker = await startWorker(sample.replace('pixels = bytes(image)', body));
  const failure = await worker.call({ phase: 'execute', image }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'worker_exited' });
  const { output } = (failure as { details: { output: string[] } }).details;
  expect(output.slice(-2)).toEqual(['no lamp', 'no verdict']);
});

test('a worker that hangs while idle loses its heartbeat and is ended', async () => {
  const hang = sample.replace(
    'def get_info(self):',
    'def on_step_finish(self, *a):\n        time.sleep(60)\n\n    def get_info(self):',
  );
  const worker = await startWorker(hang, { heartbeatIntervalMs: 50, heartbeatGraceMs: 100 });
  const lost = new Promise((resolve) => worker.once('heartbeatLost', resolve));
  await worker.call({ phase: 'execute', image });
  expect(await lost).toMatchObject({ code: 'heartbeat_lost' });
  expect(await worker.exited).toMatchObject({ reason: 'heartbeat lost' });
});

describe('stop', () => {
  test('ends a worker that ignores shutdown, end of input and SIGTERM with SIGKILL', async () => {
    const deaf = `import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
${sample.replace('def get_info(self):', 'def teardown(self):\n        time.sleep(60)\n\n    def get_info(self):')}`;
    const worker = await startWorker(deaf, { shutdownMs: 100 });
    // Windows has no signal that could be ignored: Node's SIGTERM is the end there.
    const exitSignal = IS_WINDOWS ? 'SIGTERM' : 'SIGKILL';
    expect(await worker.stop()).toMatchObject({ exitSignal, reason: 'stopped' });
  });

  test('rejects the call that runs with closed', async () => {
    const worker = await startWorker(sample, { shutdownMs: 100 });
    const call = worker.call({ phase: 'execute', image, userParams: { sleep_ms: 60_000 } });
    const stopped = worker.stop();
    await expect(call).rejects.toMatchObject({ code: 'closed' });
    await stopped;
  });
});
