import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { slotBytes } from '../../src/frames/slot.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { InspectionResult } from '../../src/supervisor/types.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const shape = { height: 8, width: 8, channels: 3 as const };
const target = { name: 'sample', version: '1.0.0' };
const imageOf = (value: number) => ({ data: new Uint8Array(8 * 8 * 3).fill(value), ...shape });
const firstOf = ({ data }: InspectionResult) => (data.debug as { first: number[] }).first[0];

/** A supervisor over a pool with room for so many images. */
async function open(images: number, policy: Partial<SupervisorPolicy> = {}) {
  const frames = new FramePool({ maxBytes: images * slotBytes(shape) });
  onTestFinished(() => frames.close());
  const { registry, supervisor } = await openSupervised({ policy, frames });
  await deployVersion(registry, { source: steeredAlgorithm() });
  await supervisor.start('sample', '1.0.0');
  const mark = path.join(await temporaryFolder(), 'go on');
  return { frames, supervisor, mark, goOn: () => writeFile(mark, '') };
}

test('the next image is in shared memory while the worker computes, and no more than the next', async () => {
  const { frames, supervisor, mark, goOn } = await open(8);
  const ask = (image: ReturnType<typeof imageOf>) =>
    supervisor.execute({ target, stepIndex: 1, image, userParams: { wait_for: mark } });
  const images = [1, 2, 3, 4].map(imageOf);
  const calls = images.map(ask);
  await expect.poll(async () => (await frames.usage()).slots - (await frames.usage()).idle).toBe(2);
  await expect.poll(() => supervisor.status()[0]).toMatchObject({ inFlight: 1, queued: 3 });
  // What the caller does with the memory of the second from now on does not matter.
  images[1]?.data.fill(99);
  await goOn();
  expect((await Promise.all(calls)).map(firstOf)).toEqual([1, 2, 3, 4]);
  const { slots, idle } = await frames.usage();
  expect([slots, idle]).toEqual([2, 2]);
});

test('a call that is given up before its turn gives its frame back', async () => {
  const { frames, supervisor, mark, goOn } = await open(8);
  const image = imageOf(1);
  const running = supervisor.execute({ target, stepIndex: 1, image, userParams: { wait_for: mark } });
  const controller = new AbortController();
  const waiting = supervisor.execute({ target, stepIndex: 1, image }, { signal: controller.signal });
  const ends = Promise.allSettled([running, waiting]);
  await expect.poll(async () => (await frames.usage()).slots).toBe(2);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  expect(await frames.usage()).toMatchObject({ slots: 2, idle: 1 });
  await goOn();
  expect((await ends)[0]).toMatchObject({ value: { status: 'OK' } });
});

test('a call whose pool is closed while it runs ends with an error, not with a verdict', async () => {
  const { frames, supervisor, mark, goOn } = await open(8);
  const running = supervisor.execute({
    target,
    stepIndex: 1,
    image: imageOf(1),
    userParams: { wait_for: mark },
  });
  const ended = running.catch((error: unknown) => error);
  await expect.poll(() => supervisor.status()[0]?.inFlight).toBe(1);
  await frames.close();
  await goOn();
  expect(await ended).toMatchObject({ code: 'closed', message: /frame pool was closed while/ });
});

test('a call that finds the queue full has written nothing', async () => {
  const { frames, supervisor, mark, goOn } = await open(8, { maxQueue: 0 });
  const image = imageOf(1);
  const running = supervisor.execute({ target, stepIndex: 1, image, userParams: { wait_for: mark } });
  await expect.poll(() => supervisor.status()[0]?.inFlight).toBe(1);
  await expect(supervisor.execute({ target, stepIndex: 1, image })).rejects.toMatchObject({
    code: 'queue_full',
  });
  expect((await frames.usage()).slots).toBe(1);
  await goOn();
  await running;
});

test.each([
  ['one image', 1, 1],
  ['one image', 1, 2],
  ['a pair of images', 2, 1],
  ['a pair of images', 2, 2],
])(
  'with room for %s in the pool (%i), ten such calls at %i workers go through',
  async (_, images, workers) => {
    const { supervisor } = await open(images, { workers });
    const calls = Array.from({ length: 10 }, (_unused, n) =>
      supervisor.execute({
        target,
        stepIndex: 1,
        image: imageOf(n),
        guideImage: images === 2 ? imageOf(100 + n) : undefined,
      }),
    );
    expect((await Promise.all(calls)).map(firstOf)).toEqual(calls.map((_unused, n) => n));
  },
);
