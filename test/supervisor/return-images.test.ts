import { expect, onTestFinished, test } from 'vitest';
import { layoutOf } from '../../src/frames/pixels/layout.js';
import { sentImage } from '../../src/frames/sent-image.js';
import type { KeptImage } from '../../src/frames/slot.js';
import { returnImages } from '../../src/supervisor/calls/return-images.js';
import { FakeWorker } from '../../src/testing/index.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';

function kept(): KeptImage {
  const nothing = () => Promise.resolve();
  return {
    ...{ id: 'f1', kind: 'npy', fileBytes: 1, generation: 1, descriptor: undefined },
    pixels: () => undefined,
    ...{ checksum: () => Promise.resolve(''), deliver: nothing, save: nothing, renew: () => undefined },
  };
}

/** A started worker, and an image that was sent to it; `free` tells whether its slot may be used again. */
async function callTo() {
  const fake = new FakeWorker();
  const worker = new AlgorithmWorker(await fake.spec(), { shutdownMs: 300 });
  onTestFinished(async () => {
    await worker.stop();
    await fake.close();
  });
  await worker.start();
  const state = { free: false };
  const image = await sentImage({
    kept: kept(),
    proof: undefined,
    isDecoded: false,
    layout: layoutOf({ width: 1, height: 1 }),
    isLost: () => false,
    release: () => (state.free = true),
  });
  const end = (retained: Promise<unknown>[] = []) => {
    returnImages({ image, guideImage: undefined }, new Set([worker]), retained);
  };
  return { worker, state, end };
}

test('after a call that its worker has answered the slot is free at once', async () => {
  const { state, end } = await callTo();
  end();
  expect(state.free).toBe(true);
});

test('after a call whose worker is being ended the slot rests until the worker is gone', async () => {
  const { worker, state, end } = await callTo();
  const stopping = worker.stop();
  end();
  expect(state.free).toBe(false);
  await stopping;
  await new Promise(setImmediate);
  expect(state.free).toBe(true);
});

test('after a call whose worker has exited the slot rests until what it may have started was looked for', async () => {
  const { worker, state, end } = await callTo();
  process.kill(worker.processId ?? 0, 'SIGKILL');
  await worker.exited;
  end();
  expect(state.free).toBe(false);
  await worker.whenTreeEnded();
  await new Promise(setImmediate);
  expect(state.free).toBe(true);
});

test('an image that somebody else still looks at rests until they have done', async () => {
  const { state, end } = await callTo();
  let settle: (() => void) | undefined;
  end([new Promise<void>((resolve) => (settle = resolve))]);
  await new Promise(setImmediate);
  expect(state.free).toBe(false);
  settle?.();
  await new Promise(setImmediate);
  expect(state.free).toBe(true);
});
