import { onTestFinished } from 'vitest';
import type { Registry } from '../../src/registry/registry.js';
import type {
  AlgorithmSupervisor,
  AlgorithmSupervisorOptions,
} from '../../src/supervisor/algorithm-supervisor.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { patient } from './patient.js';

export { deployVersion } from '../../src/testing/deploy-version.js';

/** A registry and a supervisor over it, closed when the test ends. */
export async function openSupervised(
  options: Omit<AlgorithmSupervisorOptions, 'registry'> = {},
): Promise<{ registry: Registry; supervisor: AlgorithmSupervisor }> {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const supervisor = store.supervise({ ...options, policy: patient(options.policy) });
  return { registry: store.registry, supervisor };
}
