import type { Generation } from '../../src/package/types.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { InspectionRequest } from '../../src/supervisor/types.js';
import { deployVersion, openSupervised } from './deployed-version.js';

/** A picture whose values are all the same. */
export const pictureOf = (value: number) => ({ data: new Uint8Array(48).fill(value), width: 4, height: 4 });

/** A request for that picture. */
export const requestOf = (value: number, more: Partial<InspectionRequest> = {}): InspectionRequest => ({
  ...{ productId: 'A01', stepIndex: 1, image: pictureOf(value), timeoutMs: 20_000 },
  ...more,
});

/** A supervisor with one version at the bundled worker, which has started and serves A01. */
export async function bundledSample(
  source: string,
  { generation, policy }: { generation?: Generation; policy?: Partial<SupervisorPolicy> } = {},
) {
  const { registry, supervisor } = await openSupervised({
    worker: 'bundled',
    policy: { backoffMs: 1, ...policy },
  });
  await deployVersion(registry, { source, ...(generation && { generation }) });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await supervisor.start('sample', '1.0.0');
  return { registry, supervisor };
}
