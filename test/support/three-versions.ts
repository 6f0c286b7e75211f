import { onTestFinished } from 'vitest';
import { Registry } from '../../src/registry/registry.js';
import type { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { SupervisorEvents } from '../../src/supervisor/events.js';
import { deployVersion, openSupervised } from './deployed-version.js';
import { steeredAlgorithm } from './steered-algorithm.js';

/** The image of every call. */
export const image = { data: new Uint8Array(12).fill(50), width: 2, height: 2 };

/** An algorithm whose process dies in every call. */
export const dying = steeredAlgorithm().replace('asked = user_params or {}', 'os._exit(9)');

/** Versions 1, 2 and 3 of `sample` deployed, `A` and `B` active at 1; each is a steered algorithm unless said otherwise. */
export async function threeVersions(
  o: { policy?: Partial<SupervisorPolicy>; sources?: Record<string, string>; pids?: string[] } = {},
) {
  const { registry, supervisor } = await openSupervised({ policy: o.policy });
  for (const version of ['1', '2', '3']) {
    const source = o.sources?.[version] ?? steeredAlgorithm();
    await deployVersion(registry, { version, source, productIds: o.pids ?? ['A', 'B'] });
  }
  await registry.activate({ name: 'sample', version: '1', productIds: ['A', 'B'] });
  const ask = (userParams: Record<string, unknown> = {}, pid = 'A', timeoutMs?: number) =>
    supervisor.execute({ productId: pid, stepIndex: 1, image, userParams, timeoutMs });
  const versions = () =>
    supervisor
      .status()
      .map(({ version }) => version)
      .sort();
  return { registry, supervisor, ask, versions };
}

/** What a switch of `sample` is asked with. */
export const to = (version: string, pids = ['A', 'B']) => ({ name: 'sample', version, pids });

export function next<Name extends keyof SupervisorEvents>(
  supervisor: AlgorithmSupervisor,
  name: Name,
): Promise<SupervisorEvents[Name][0]> {
  return new Promise((resolve) => {
    supervisor.once(name, (event: SupervisorEvents[Name][0]) => {
      resolve(event);
    });
  });
}

/** Resolves when a version comes to a state. */
export function reached(supervisor: AlgorithmSupervisor, version: string, state: string): Promise<void> {
  return new Promise((resolve) => {
    supervisor.on('state', (event) => {
      if (event.version === version && event.state === state) resolve();
    });
  });
}

/** Versions that `A` and `B` are mapped to. */
export async function mappedTo(registry: Registry): Promise<(string | undefined)[]> {
  const active = await registry.active();
  return [active.A?.version, active.B?.version];
}

/** The same store as another process sees it. */
export async function otherRegistry(registry: Registry): Promise<Registry> {
  const other = await Registry.open(registry.layout, { durability: 'none' });
  onTestFinished(() => other.close());
  return other;
}
