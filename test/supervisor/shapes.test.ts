import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { expect, onTestFinished, test } from 'vitest';
import { AlgorithmSupervisor, FramePool } from '../../src/index.js';
import type { ObservedCall } from '../../src/supervisor/calls/call-observer.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { deployVersion } from '../support/deployed-version.js';
import { patient } from '../support/patient.js';

setFlagsFromString('--allow-natives-syntax');
/** Whether the engine has one shape for both: it makes code for a shape, and keeps each shape until a full collection. */
const haveOneShape = runInThisContext('(a, b) => %HaveSameMap(a, b) && %HasFastProperties(a)') as (
  a: object,
  b: object,
) => boolean;

test('what two calls in place are made of has the same shapes: result, request, pictures', async () => {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  await deployVersion(store.registry);
  const frames = new FramePool();
  const { registry } = store;
  const supervisor = new AlgorithmSupervisor({ registry, frames, worker: 'bundled', policy: patient() });
  onTestFinished(async () => {
    await supervisor.close();
    await frames.close();
  });
  const seen: ObservedCall[] = [];
  await supervisor.observe({
    offer: (call) => {
      seen.push(call);
      return undefined;
    },
    close: () => Promise.resolve(),
  });
  const frame = await frames.lease({ width: 2, height: 2 });
  frame.pixels.fill(7);
  const target = { name: 'sample', version: '1.0.0' };
  const call = () => supervisor.execute({ target, stepIndex: 1, image: frame });
  await call();
  const results = [await call(), await call()] as const;
  frame.release();
  const [, first, second] = seen;
  if (!first || !second) throw new Error('each call is observed');
  expect(haveOneShape(...results)).toBe(true);
  expect(haveOneShape(first.request, second.request)).toBe(true);
  expect(haveOneShape(first.images.image, second.images.image)).toBe(true);
});
