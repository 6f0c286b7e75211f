import { onTestFinished } from 'vitest';
import { FramePool, type FramePoolOptions } from '../../src/frames/frame-pool.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import { deployVersion, openSupervised } from './deployed-version.js';
import { steeredAlgorithm } from './steered-algorithm.js';

/** Finds a defect where the first pixel is above 100; the other one is above 200. */
export function detector(above: number): string {
  return steeredAlgorithm().replace(
    'data.update(asked.get("data") or {})',
    `if image[0] > ${above}:
            data.update(result_status="NG", ng_reason="bright",
                        defect_rects=[{"x": 0, "y": 0, "width": 2, "height": 1}])
        data.update(asked.get("data") or {})`,
  );
}

/** Version 1 serves `A01`, version 2 is a candidate: the one finds a defect above 100, the other above 200. */
export async function candidate(
  o: { source?: string; frames?: FramePoolOptions; policy?: Partial<SupervisorPolicy> } = {},
) {
  const frames = new FramePool(o.frames);
  onTestFinished(() => frames.close());
  const { registry, supervisor } = await openSupervised({ frames, policy: o.policy });
  await deployVersion(registry, { version: '1', source: detector(100) });
  await deployVersion(registry, { version: '2', source: o.source ?? detector(200) });
  await registry.activate({ name: 'sample', version: '1', productIds: ['A01'] });
  const inspect = (value: number, userParams: Record<string, unknown> = {}) =>
    supervisor.execute({
      productId: 'A01',
      stepIndex: 1,
      image: { data: new Uint8Array(12).fill(value), width: 2, height: 2 },
      userParams,
    });
  return { registry, supervisor, frames, inspect };
}
