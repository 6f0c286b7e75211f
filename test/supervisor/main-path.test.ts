import { describe, expect, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';

const pixels = new Uint8Array(12).map((_, index) => (index % 3 === 0 ? 200 : 7));
const image = { data: pixels, width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };

describe('the phased generation', () => {
  test('start resolves when ready; preExecute and execute answer on the pixels handed over; stop ends the process', async () => {
    const { registry, supervisor } = await openSupervised();
    await deployVersion(registry);
    await registry.activate({ ...target, productIds: ['A01'] });
    await supervisor.start('sample', '1.0.0');
    const [status] = supervisor.status();
    expect(status).toMatchObject({ state: 'running', workers: [{ state: 'idle', restarts: 0 }] });
    expect((await registry.get('sample', '1.0.0'))?.state).toBe('running');
    const request = { pid: 'A01', stepIndex: 1, image, session: { id: 's1', context: { lot: 7 } } };
    expect(await supervisor.preExecute(request)).toMatchObject({ status: 'OK', message: 'ready' });
    const result = await supervisor.execute(request);
    expect(result).toMatchObject({
      status: 'OK',
      worker: 0,
      attempts: 1,
      name: 'sample',
      version: '1.0.0',
      data: {
        result_status: 'OK',
        debug: { first: [200, 7, 7], size: 12, pid: 'A01', session: 's1', context: { lot: 7 } },
      },
    });
    expect(result.timing.totalMs).toBeGreaterThanOrEqual(result.timing.callMs);
    await supervisor.stop('sample', '1.0.0');
    expect(supervisor.status()).toEqual([]);
    expect(() => process.kill(status?.workers[0]?.processId ?? 0, 0)).toThrow('ESRCH');
    expect((await registry.get('sample', '1.0.0'))?.state).toBe('deployed');
  });

  test('a call starts the deployment it needs, and an NG verdict comes with reason and boxes', async () => {
    const { registry, supervisor } = await openSupervised();
    await deployVersion(registry);
    const result = await supervisor.execute({ target, stepIndex: 1, image, userParams: { ng: true } });
    expect(result.data).toMatchObject({ result_status: 'NG', ng_reason: 'asked for it' });
    expect(result.data.defect_rects).toHaveLength(1);
  });

  test('info answers what get_info() says', async () => {
    const { registry, supervisor } = await openSupervised();
    await deployVersion(registry);
    expect(await supervisor.info('sample', '1.0.0')).toMatchObject({
      name: 'sample',
      supported_pids: ['A01'],
    });
  });

  test('info asks the class itself where the adapter has no info phase', async () => {
    const { registry, supervisor } = await openSupervised();
    await deployVersion(registry, { infoPhase: false });
    expect(await supervisor.info('sample', '1.0.0')).toMatchObject({
      name: 'sample',
      steps: [{ index: 1, name: 'look' }],
    });
  });

  test('an algorithm that answers ERROR, or raises, is a result and not an exception', async () => {
    const { registry, supervisor } = await openSupervised();
    await deployVersion(registry);
    const ask = (userParams: Record<string, unknown>) =>
      supervisor.execute({ target, stepIndex: 1, image, userParams });
    expect(await ask({ status: 'ERROR' })).toMatchObject({ status: 'ERROR', message: 'asked to fail' });
    expect(await ask({ raise: 'lamp is off' })).toMatchObject({
      status: 'ERROR',
      message: 'lamp is off',
      errorCode: '1009',
      attempts: 1,
    });
  });
});

describe('the execute-only generation', () => {
  test("execute hands over image and guide image; for 'same' the image stands in", async () => {
    const { registry, supervisor } = await openSupervised();
    await deployVersion(registry, { generation: 'execute-only' });
    const guideImage = { data: new Uint8Array(12).fill(9), width: 2, height: 2 };
    const guided = await supervisor.execute({ target, stepIndex: 1, image, guideImage });
    expect(guided.data.debug).toMatchObject({ first: [200, 7, 7], guide: [9, 9, 9] });
    const alone = await supervisor.execute({ target, stepIndex: 1, image, guideImage: 'same' });
    expect(alone.data.debug).toMatchObject({ first: [200, 7, 7], guide: [200, 7, 7] });
  });

  test('preExecute and info are refused with unsupported_phase', async () => {
    const { registry, supervisor } = await openSupervised();
    await deployVersion(registry, { generation: 'execute-only' });
    const code = { code: 'unsupported_phase' };
    await expect(supervisor.preExecute({ target, stepIndex: 1, image })).rejects.toMatchObject(code);
    await expect(supervisor.info('sample', '1.0.0')).rejects.toMatchObject(code);
  });
});

test('an image whose size does not match is invalid_image naming the bytes expected and given, and starts nothing', async () => {
  const { registry, supervisor } = await openSupervised();
  await deployVersion(registry);
  const request = { target, stepIndex: 1, image: { data: new Uint8Array(11), width: 2, height: 2 } };
  const rejected = expect(supervisor.execute(request)).rejects;
  await rejected.toMatchObject({ code: 'invalid_image', message: expect.stringMatching(/12.*11/) as string });
  expect(supervisor.status()).toEqual([]);
});

test('a product id that is not active is not_found', async () => {
  const { supervisor } = await openSupervised();
  await expect(supervisor.execute({ productId: 'B', stepIndex: 1, image })).rejects.toMatchObject({
    code: 'not_found',
  });
});

test('after close no call is taken, and a pool of the caller stays open with every frame given back', async () => {
  await using frames = new FramePool();
  const { registry, supervisor } = await openSupervised({ frames });
  await deployVersion(registry);
  const frame = await frames.lease({ width: 2, height: 2 });
  frame.pixels.set(pixels);
  const result = await supervisor.execute({ target, stepIndex: 1, image: frame });
  expect(result.data.debug).toMatchObject({ first: [200, 7, 7] });
  frame.release();
  await supervisor.close();
  await expect(supervisor.execute({ target, stepIndex: 1, image })).rejects.toMatchObject({ code: 'closed' });
  expect(await frames.usage()).toMatchObject({ slots: 1, idle: 1 });
});
