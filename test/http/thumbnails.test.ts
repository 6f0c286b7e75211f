import { PNG } from 'pngjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Thumbnails } from '../../src/http/inspections/thumbnails.js';
import { FramePool, type ImageInput } from '../../src/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { FakeWorker } from '../../src/testing/index.js';
import type { RunnerHandlerOptions } from '../../src/http/index.js';
import { openHttpRunner } from '../support/http-runner.js';

/** A station that inspects whatever it is sent. */
async function inspecting(options: Partial<RunnerHandlerOptions>) {
  const fake = new FakeWorker();
  onTestFinished(() => fake.close());
  const runner = await openHttpRunner(options);
  await deployVersion(runner.registry, { name: 'scripted', worker: fake });
  await runner.registry.activate({ name: 'scripted', version: '1.0.0', productIds: ['A01'] });
  const execute = (image: ImageInput) => runner.supervisor.execute({ productId: 'A01', stepIndex: 1, image });
  const pixelsOf = async (requestId: string) => {
    const answer = await runner.ask('GET', `/thumbnails/${requestId}`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/png']);
    const { width, height, data } = PNG.sync.read(Buffer.from(await answer.arrayBuffer()));
    const rgb = Array.from({ length: width * height }, (_, at) => [...data.subarray(at * 4, at * 4 + 3)]);
    const of = ['x-image-width', 'x-image-height'].map((name) => answer.headers.get(name));
    return { width, height, rgb, of };
  };
  return { ...runner, fake, execute, pixelsOf };
}

describe('the small picture of an inspection', () => {
  test.each<[string, ImageInput, number[][]]>([
    [
      'RGB',
      { data: Uint8Array.of(1, 2, 3, 4, 5, 6), width: 2, height: 1 },
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
    [
      'BGR',
      { data: Uint8Array.of(1, 2, 3, 4, 5, 6), width: 2, height: 1, colorSpace: 'BGR' },
      [
        [3, 2, 1],
        [6, 5, 4],
      ],
    ],
    [
      'gray',
      { data: Uint8Array.of(7, 200), width: 2, height: 1, channels: 1 },
      [
        [7, 7, 7],
        [200, 200, 200],
      ],
    ],
  ])('has the colours of a picture that is %s', async (_title, image, rgb) => {
    const { execute, pixelsOf } = await inspecting({ thumbnails: 5 });
    const { requestId } = await execute(image);
    expect(await pixelsOf(requestId)).toEqual({ width: 2, height: 1, rgb, of: ['2', '1'] });
  });

  test('has the high bits of a picture of twelve, as a worker that takes them reads it', async () => {
    const pool = new FramePool();
    onTestFinished(() => pool.close());
    const data = new Uint8Array(Uint16Array.of(0xfff, 0x100).buffer);
    const image = await pool.send(
      { data, width: 2, height: 1, pixelFormat: 'Mono12' },
      { imageFormats: ['Mono12'] },
    );
    const kept = new Thumbnails(1);
    kept.offer({ phase: 'execute', requestId: 'r1', images: { image, guideImage: undefined } });
    expect([...(kept.get('r1')?.data ?? [])]).toEqual([255, 255, 255, 16, 16, 16]);
    image.done();
  });

  test('of a large picture is at most 128 × 96, sampled from all of it', async () => {
    const { execute, pixelsOf } = await inspecting({ thumbnails: 5 });
    const [width, height] = [1_024, 512];
    const data = Uint8Array.from({ length: width * height }, (_, at) => (at % width < width / 2 ? 10 : 240));
    const { requestId } = await execute({ data, width, height, channels: 1 });
    const small = await pixelsOf(requestId);
    expect([small.width, small.height, small.of]).toEqual([128, 64, ['1024', '512']]);
    expect(small.rgb.slice(0, 128).map(([red]) => red)).toEqual(
      Array.from({ length: 128 }, (_, x) => (x < 64 ? 10 : 240)),
    );
  });

  test('is kept also of a call that failed', async () => {
    const { execute, fake, supervisor, pixelsOf } = await inspecting({ thumbnails: 5 });
    await supervisor.configure('scripted', '1.0.0', { retries: 0 });
    fake.answer('execute', (call) => call.process.exit(9));
    const failed = new Promise<string>((resolve) => {
      supervisor.on('callFailed', ({ requestId }) => {
        resolve(requestId);
      });
    });
    await expect(execute({ data: Uint8Array.of(9, 9, 9), width: 1, height: 1 })).rejects.toThrow();
    expect((await pixelsOf(await failed)).rgb).toEqual([[9, 9, 9]]);
  });
});

test('without the option none is kept, and with the page there are some', async () => {
  const image = { data: Uint8Array.of(1, 2, 3), width: 1, height: 1 };
  const without = await inspecting({});
  const { requestId } = await without.execute(image);
  const refused = await without.ask('GET', `/thumbnails/${requestId}`);
  expect([refused.status, await refused.json()]).toMatchObject([404, { code: 'not_found' }]);
  const paged = await inspecting({ page: true });
  const inspected = await paged.execute(image);
  expect((await paged.ask('GET', `/thumbnails/${inspected.requestId}`)).status).toBe(200);
  const shut = await inspecting({ page: true, authorize: (_request, action) => action !== 'picture' });
  expect((await shut.ask('GET', '/thumbnails/x')).status).toBe(403);
});

test('the oldest goes for the newest, a line faster than twenty a second is seen in samples, and no frame is held', async () => {
  let now = 1_000;
  const kept = new Thumbnails(2, () => now);
  const { execute, supervisor } = await inspecting({});
  await supervisor.observe(kept);
  const ids: string[] = [];
  for (const wait of [0, 50, 49, 1, 50]) {
    now += wait;
    const { requestId } = await execute({ data: Uint8Array.of(ids.length, 0, 0), width: 1, height: 1 });
    ids.push(requestId);
  }
  expect(ids.map((id) => kept.get(id)?.data[0])).toEqual([undefined, undefined, undefined, 3, 4]);
  await supervisor.close();
  expect(ids.map((id) => kept.get(id))).toEqual(ids.map(() => undefined));
});
