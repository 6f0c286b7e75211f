import { onTestFinished } from 'vitest';
import type { Registry } from '../../src/registry/registry.js';
import type {
  AlgorithmSupervisor,
  AlgorithmSupervisorOptions,
} from '../../src/supervisor/algorithm-supervisor.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { IS_WINE } from './platform.js';

export { deployVersion } from '../../src/testing/deploy-version.js';

/** The limits of calls where none is given: a start of Python, which a call may wait for, takes Wine many seconds. */
const PATIENCE = IS_WINE
  ? { preTimeoutMs: 60_000, executeTimeoutMs: 60_000, infoTimeoutMs: 60_000 }
  : undefined;

/** A registry and a supervisor over it, closed when the test ends. */
export async function openSupervised(
  options: Omit<AlgorithmSupervisorOptions, 'registry'> = {},
): Promise<{ registry: Registry; supervisor: AlgorithmSupervisor }> {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const given = PATIENCE ? { ...options, policy: { ...PATIENCE, ...options.policy } } : options;
  return { registry: store.registry, supervisor: store.supervise(given) };
}
