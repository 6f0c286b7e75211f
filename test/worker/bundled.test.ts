import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { npyHeader } from '../../src/frames/npy.js';
import { sampleAlgorithm } from '../../src/testing/index.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import { algorithmFolder } from '../support/algorithm-folder.js';
import { phasedSource, READ, startBundled } from '../support/bundled-worker.js';
import { pythonsAtHand } from '../support/pythons.js';
import { temporaryFolder } from '../support/temp-folder.js';

const meta = { width: 4, height: 2 };
const ramp = Uint8Array.from({ length: 24 }, (_, index) => index + 1);

describe.each(['phased', 'execute-only'] as const)('an algorithm of the %s generation', (generation) => {
  test('sees the pixels that were handed over, and its own time and memory are told', async () => {
    const source = sampleAlgorithm({ generation, name: 's', version: '1', productIds: ['A'] });
    const { worker, frames } = await startBundled(source, { generation });
    expect(worker.ready).toMatchObject({ generation });
    expect(worker.ready?.capabilities).toContain('bundled:v1');
    const sent = await frames.send({ data: ramp, ...meta });
    const reply = await worker.call({ phase: 'execute', image: sent });
    expect(reply).toMatchObject({ status: 'OK', data: { debug: { first: [1, 2, 3], size: 24 } } });
    expect(reply.metrics?.algorithmMs).toBeGreaterThan(0);
    if (process.platform === 'linux') expect(reply.metrics?.rssBytes).toBeGreaterThan(1e6);
  });
});

test('runs on every Python at hand', async () => {
  const pythons = await pythonsAtHand();
  expect(pythons.length).toBeGreaterThan(0);
  for (const python of pythons) {
    const { worker, frames } = await startBundled(phasedSource(`${READ}return ok(size=len(bytes(image)))`), {
      python,
    });
    const sent = await frames.send({ data: ramp, ...meta });
    expect((await worker.call({ phase: 'execute', image: sent })).data.debug).toEqual({ size: 24 });
    sent.done();
    await worker.stop();
  }
});

test('BGR becomes RGB, and one channel becomes three', async () => {
  const { worker, frames } = await startBundled(
    phasedSource(`${READ}return ok(pixels=list(bytes(image)[:6]))`),
  );
  const bgr = await frames.send({ data: ramp, ...meta, colorSpace: 'BGR' });
  expect((await worker.call({ phase: 'execute', image: bgr })).data.debug).toEqual({
    pixels: [3, 2, 1, 6, 5, 4],
  });
  const mono = await frames.send({ data: ramp.subarray(0, 8), ...meta, channels: 1 });
  expect((await worker.call({ phase: 'execute', image: mono })).data.debug).toEqual({
    pixels: [1, 1, 1, 2, 2, 2],
  });
});

test('a file of the same name that gets another shape of the same size is read in its new shape', async () => {
  const { worker, frames } = await startBundled(phasedSource(`${READ}return ok(shape=list(image.shape))`));
  const file = path.join(await frames.open(), 'own.npy');
  for (const [width, height] of [
    [4, 2],
    [2, 4],
  ] as const) {
    await writeFile(file, Buffer.concat([npyHeader(height, width, 3), ramp]));
    const image = { id: 'own', meta: { width, height, timestamp_ms: 0, camera_id: 'c' } };
    const { data } = await worker.call({ phase: 'execute', image });
    expect(data.debug).toEqual({ shape: [height, width, 3] });
  }
});

test('what the algorithm writes into its image is seen by nobody, not even by its next call', async () => {
  const body = `${READ}first = image[0, 0, 0]
image[0, 0, 0] = 99
return ok(first=int(first), written=int(image[0, 0, 0]))`;
  const { worker, frames } = await startBundled(phasedSource(body));
  const sent = await frames.send({ data: ramp, ...meta });
  for (let call = 0; call < 3; call++) {
    const reply = await worker.call({ phase: 'execute', image: sent });
    expect(reply.data.debug).toEqual({ first: 1, written: 99 });
  }
});

describe('an image that is not there is an error 1007, never a black image', () => {
  const image = { id: 'nowhere', meta: { width: 4, height: 2, timestamp_ms: 0, camera_id: 'c' } };

  test('also when the algorithm swallows the exception', async () => {
    const { worker } = await startBundled(
      phasedSource(`try:\n    ${READ}except Exception:\n    pass\nreturn ok()`),
    );
    expect(await worker.call({ phase: 'execute', image })).toMatchObject({
      status: 'ERROR',
      errorCode: '1007',
    });
  });

  test('also when the frame has another size than the call says', async () => {
    const { worker, frames } = await startBundled(phasedSource(`${READ}return ok()`));
    const sent = await frames.send({ data: ramp, ...meta });
    const wrong = { id: sent.id, meta: { ...sent.meta, width: 5 } };
    expect(await worker.call({ phase: 'execute', image: wrong })).toMatchObject({
      status: 'ERROR',
      errorCode: '1007',
    });
  });
});

test('data that is no dict is an error 1000, and the worker stays', async () => {
  const { worker } = await startBundled(phasedSource('return {"status": "OK", "data": user_params["data"]}'));
  const ask = (data: unknown) => worker.call({ phase: 'execute', userParams: { data } });
  expect(await ask([1])).toMatchObject({ status: 'ERROR', errorCode: '1000' });
  expect(await ask({ a: 1 })).toMatchObject({ status: 'OK', data: { a: 1 } });
});

test('exceptions keep their class, and their error_code where they have one', async () => {
  const body = `if user_params["kind"] == "recoverable":
    class Retry(RecoverableError): pass
    raise Retry("again")
error = ValueError("bad")
error.error_code = 9999
raise error`;
  const { worker } = await startBundled(phasedSource(body));
  const ask = (kind: string) => worker.call({ phase: 'execute', userParams: { kind } });
  expect(await ask('recoverable')).toMatchObject({
    message: 'again',
    exception: 'RecoverableError',
    errorCode: '1009',
  });
  expect(await ask('other')).toMatchObject({ message: 'bad', exception: 'ValueError', errorCode: '9999' });
});

test('an ERROR result keeps its error_code', async () => {
  const { worker } = await startBundled(
    phasedSource('return {"status": "ERROR", "message": "m", "error_code": 1004, "data": {}}'),
  );
  expect(await worker.call({ phase: 'execute' })).toMatchObject({
    status: 'ERROR',
    errorCode: '1004',
    isErrorFrame: false,
  });
});

test('a session keeps its values from pre to execute, until it is reset', async () => {
  const { worker } = await startBundled(
    phasedSource('return ok(seen=session.get("seen"), lot=session.context.get("lot"))'),
  );
  const session = { id: 's1', context: { lot: 7 } };
  await worker.call({ phase: 'pre', session });
  await worker.call({ phase: 'pre', session });
  expect((await worker.call({ phase: 'execute', session })).data.debug).toEqual({ seen: 2, lot: 7 });
  await worker.call({ phase: 'reset', session });
  expect((await worker.call({ phase: 'execute', session })).data.debug).toEqual({ seen: null, lot: 7 });
});

test('pings are answered while a call runs', async () => {
  const mark = path.join(await temporaryFolder(), 'go on');
  const { worker } = await startBundled(
    phasedSource(
      `while not os.path.exists(${JSON.stringify(mark)}): time.sleep(0.01)\nreturn ok()`,
      'import os',
    ),
  );
  const call = worker.call({ phase: 'execute' });
  const pong = await worker.ping({ timeoutMs: 20_000 });
  expect(pong.duringCall).toBe(true);
  await writeFile(mark, '');
  expect((await call).status).toBe('OK');
});

test('what the algorithm prints goes to its log, and NaN in a result to null', async () => {
  const { worker } = await startBundled(
    phasedSource('print("hello")\nreturn ok(value=float("nan"), text="NaN")'),
  );
  const logs: string[] = [];
  const stray: string[] = [];
  worker.on('log', ({ message }) => logs.push(message));
  worker.on('strayOutput', (text) => stray.push(text));
  expect((await worker.call({ phase: 'execute' })).data.debug).toEqual({ value: null, text: 'NaN' });
  await expect.poll(() => logs).toEqual(['hello']);
  expect(stray).toEqual([]);
});

test('an import that raises fails the start with the class and the text', async () => {
  const spec = await algorithmFolder('raise RuntimeError("no licence")');
  const worker = new AlgorithmWorker({ ...spec, flavour: 'bundled' });
  await expect(worker.start()).rejects.toMatchObject({
    code: 'start_failed',
    message: expect.stringContaining('RuntimeError: no licence') as string,
  });
});

test.runIf(process.platform === 'linux')(
  'a worker that is asked to end has its priority in its teardown, and stands back while its interpreter ends',
  async () => {
    const back = os.getPriority() + 10;
    const head = `import atexit, os, sys
def nice():
    return os.getpriority(os.PRIO_PROCESS, 0)
def ending():
    until = time.monotonic() + 30
    while nice() != ${back} and time.monotonic() < until:
        time.sleep(0.001)
    print("ending at", nice(), file=sys.stderr, flush=True)
atexit.register(ending)`;
    const teardown = `
    def teardown(self):
        print("teardown at", nice(), file=sys.stderr, flush=True)
`;
    const source = phasedSource('return ok()', head) + teardown;
    const { worker } = await startBundled(source, { limits: { shutdownMs: 60_000 } });
    await expect.poll(() => os.getPriority(worker.processId)).toBe(os.getPriority());
    const { lastLines } = await worker.stop();
    expect(lastLines).toEqual([`teardown at ${os.getPriority()}`, `ending at ${back}`]);
  },
);
