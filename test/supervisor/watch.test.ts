import { expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { ObservedCall } from '../../src/supervisor/calls/call-observer.js';
import type { Inspection } from '../../src/supervisor/calls/inspection.js';
import { Watch } from '../../src/supervisor/calls/watch.js';
import type { Deployment } from '../../src/supervisor/deployments/deployment.js';

const inspection = { phase: 'execute', request: { stepIndex: 1 }, requestId: 'r1' } as Inspection;
const deployment: unknown = { entry: { name: 'sample', version: '1' } };
const images = { image: {}, guideImage: undefined } as Parameters<Watch['begin']>[0];

/** Two observers of one call, of which the second keeps the images, in a pool of which `pixels` bytes are leased. */
async function watched(pixels: number, maxBytes = 1 << 20) {
  const frames = new FramePool({ maxBytes });
  onTestFinished(() => frames.close());
  await frames.lease({ width: Math.ceil(pixels / 64), height: 64, channels: 1 });
  const offered: ObservedCall[] = [];
  const kept = Promise.resolve('read');
  const observer = (answer: Promise<unknown> | undefined) => ({
    offer: (call: ObservedCall) => {
      offered.push(call);
      return answer;
    },
    close: () => Promise.resolve(),
  });
  const watch = new Watch(
    new Set([observer(undefined), observer(kept)]),
    frames,
    inspection,
    deployment as Deployment,
  );
  return { frames, offered, kept, watch };
}

test('each observer is offered the call once, however often it is tried, and how it ended', async () => {
  const { offered, kept, watch } = await watched(1);
  expect(watch.retained).toEqual([]);
  watch.begin(images);
  watch.begin(images);
  expect(offered).toHaveLength(2);
  expect(offered[0]).toMatchObject({
    ...{ phase: 'execute', requestId: 'r1', name: 'sample', version: '1', isShort: false },
    request: { stepIndex: 1 },
  });
  expect(offered[0]?.images).toBe(images);
  expect(watch.retained).toEqual([kept]);
  const end = { result: undefined, error: new Error('x') } as never;
  watch.end(end);
  expect(await offered[0]?.ended).toBe(end);
});

test('what an observer throws is left out: the call goes on, and the others are offered it', () => {
  const frames = new FramePool({ maxBytes: 1 << 20 });
  onTestFinished(() => frames.close());
  const offered: string[] = [];
  const close = () => Promise.resolve();
  const throws = () => {
    throw new Error('no room');
  };
  const hears = ({ requestId }: ObservedCall) => {
    offered.push(requestId);
    return undefined;
  };
  const observers = new Set([
    { offer: throws, close },
    { offer: hears, close },
  ]);
  const watch = new Watch(observers, frames, inspection, deployment as Deployment);
  watch.begin(images);
  expect([offered, watch.retained]).toEqual([['r1'], []]);
});

test.each([
  [0.45, false],
  [0.6, true],
])('with about %f of the memory for frames in use, memory is said to be short: %s', async (load, isShort) => {
  const { frames, offered, watch } = await watched(Math.floor(load * (1 << 20)));
  expect(frames.load).toBeGreaterThan(load - 0.05);
  expect(frames.load).toBeLessThan(load + 0.1);
  watch.begin(images);
  expect(offered.map((call) => call.isShort)).toEqual([isShort, isShort]);
});

test('with exactly half of the memory for frames in use, memory is not said to be short', async () => {
  const small = await watched(1 << 12);
  const half = small.frames.load * (1 << 20);
  const { frames, offered, watch } = await watched(1 << 12, 2 * half);
  expect(frames.load).toBe(0.5);
  watch.begin(images);
  expect(offered.map((call) => call.isShort)).toEqual([false, false]);
});
