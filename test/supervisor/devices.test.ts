import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { deviceVariables, threadsOf } from '../../src/supervisor/pool/device-variables.js';
import { isDeviceOutOfMemory, pauseMs } from '../../src/supervisor/pool/device-memory.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };
const reply = (fields: object) => ({ status: 'ERROR' as const, message: '', data: {}, ...fields }) as never;

describe('threads of a worker', () => {
  test.each([
    ['auto', 4, 8, 2],
    ['auto', 4, 2, 1],
    ['auto', 3, 8, 2],
    ['auto', 1, 8, undefined],
    ['package', 4, 8, undefined],
    [6, 1, 2, 6],
  ] as const)('%s with %i workers on %i cores are %s', (threads, workers, cores, expected) => {
    expect(threadsOf({ threads }, workers, cores)).toBe(expected);
  });

  test('and its devices are variables that its process has, those of the policy’s env first', async () => {
    await using store = await TemporaryStore.open();
    const names = ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'CUDA_VISIBLE_DEVICES', 'CUDA_DEVICE_ORDER'];
    const source = steeredAlgorithm().replace(
      '"echo": asked.get("echo")',
      `"echo": [os.environ.get(name) for name in ${JSON.stringify(names)}]`,
    );
    await store.deploy({ source });
    const policy = { workers: 2, devices: [1, 'GPU-3f2a'], env: { OPENBLAS_NUM_THREADS: '7' } };
    const supervisor = store.supervise({ policy });
    const { data } = await supervisor.execute({ target, stepIndex: 1, image });
    const share = String(Math.max(1, Math.floor(availableParallelism() / 2)));
    expect(supervisor.status()).toMatchObject([{ threads: Number(share), devices: ['1', 'GPU-3f2a'] }]);
    expect(data.debug).toMatchObject({ echo: [share, '7', '1,GPU-3f2a', 'PCI_BUS_ID'] });
  });

  test('without devices all are hidden, on Windows too', () => {
    expect(deviceVariables({ threads: 'package', devices: [] }, 1)).toEqual({
      ...{ CUDA_VISIBLE_DEVICES: '-1', HIP_VISIBLE_DEVICES: '-1', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' },
    });
    expect(deviceVariables({ threads: 'package', devices: undefined }, 4)).toEqual({});
  });

  test.each([['0,1'], [[-1]], [[1.5]], [['0,1']], [['']], [{}]])(
    'devices %j are refused',
    async (devices) => {
      await using store = await TemporaryStore.open();
      const policy = { devices: devices as never };
      expect(() => store.supervise({ policy })).toThrow(
        /policy\.devices must be a list of numbers from 0 or of names/,
      );
    },
  );
});

describe('a device whose memory is used up', () => {
  test.each<[fields: object, isFull: boolean]>([
    [{ exception: 'GPUOutOfMemoryError' }, true],
    [{ raised: { type: 'torch.cuda.OutOfMemoryError', message: '', traceback: '' } }, true],
    [{ message: 'CUDA out of memory. Tried to allocate 2.00 GiB' }, true],
    [{ message: 'Non-zero status code: Failed to allocate memory for requested buffer of size 4096' }, true],
    [{ exception: 'MemoryError', message: 'out of memory' }, false],
    [{ status: 'OK', message: 'CUDA out of memory' }, false],
    [{ message: 'the seal is out of place' }, false],
  ])('is known by class or message: %j is %s', (fields, isFull) => {
    expect(isDeviceOutOfMemory(reply(fields))).toBe(isFull);
  });

  test('is asked again after a pause that leaves time for the attempt', () => {
    expect([1, 2, 3].map((attempts) => pauseMs(attempts, 10_000))).toEqual([250, 500, 1_000]);
    expect(pauseMs(1, 100)).toBe(25);
  });

  test('is tried again until it has room, and is gpu_oom when it never has', async () => {
    await using store = await TemporaryStore.open();
    const fake = new FakeWorker();
    await store.deploy({ worker: fake });
    const supervisor = store.supervise({ policy: { retries: 2 } });
    const full = { error: 'CUDA out of memory', exception: 'GPUOutOfMemoryError' };
    fake.answerOnce('execute', full);
    expect(await supervisor.execute({ target, stepIndex: 1, image })).toMatchObject({
      status: 'OK',
      attempts: 2,
    });
    fake.answer('execute', full);
    await expect(supervisor.execute({ target, stepIndex: 1, image })).rejects.toMatchObject({
      ...{ code: 'gpu_oom', errorCode: '1004', retryable: true },
      message: /used up, at 3 attempts: CUDA out of memory\. Give the version fewer workers/,
      details: { ...target, stage: 'execute' },
    });
  });

  test('a call that is given up in the pause ends at once', async () => {
    await using store = await TemporaryStore.open();
    const fake = new FakeWorker();
    await store.deploy({ worker: fake });
    const supervisor = store.supervise({ policy: { retries: 9 } });
    const controller = new AbortController();
    fake.answer('execute', () => {
      setImmediate(() => controller.abort());
      return { error: 'CUDA out of memory' };
    });
    await expect(
      supervisor.execute({ target, stepIndex: 1, image, timeoutMs: 600_000 }, { signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'aborted' });
  });
});
