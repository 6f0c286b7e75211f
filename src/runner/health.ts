import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { isSame } from '../registry/mappings.js';
import { readyWorkers } from '../supervisor/ready-workers.js';
import { inOrder } from '../supervisor/start-active.js';
import type { SupervisedStatus } from '../supervisor/types.js';
import type { HealthCheck, HealthReport, RunnerParts } from './types.js';

type ActiveVersion = ReturnType<typeof inOrder>[number];

/** See `Runner.health`. */
export async function healthOf(
  { registry, supervisor }: Pick<RunnerParts, 'registry' | 'supervisor'>,
  { isOpen, signal }: { isOpen: boolean } & OperationOptions,
): Promise<HealthReport> {
  if (!isOpen) {
    return {
      live: false,
      ready: false,
      checks: [{ name: 'runner', ok: false, message: 'the runner is closed' }],
    };
  }
  const checks: HealthCheck[] = [];
  try {
    const entries = await registry.list({}, { signal });
    const count = `${entries.length} version${entries.length === 1 ? '' : 's'} deployed`;
    checks.push({ name: 'store', ok: true, message: `${registry.layout.root}: ${count}` });
    const status = supervisor.status();
    for (const version of inOrder(await registry.active({ signal }))) {
      const isDeployed = entries.some((entry) => isSame(entry, version));
      const found = status.find((one) => isSame(one, version));
      checks.push(isDeployed ? stateOf(version, found) : missing(version));
    }
  } catch (error) {
    if (RunnerError.is(error, 'aborted')) throw error;
    checks.push({ name: 'store', ok: false, message: (error as Error).message });
  }
  return { live: true, ready: checks.every(({ ok }) => ok), checks };
}

/** Whether a version answers calls: a worker of it is ready, and its circuit is not open. */
function stateOf(
  { name, version, productIds }: ActiveVersion,
  found: SupervisedStatus | undefined,
): HealthCheck {
  const serves = `serves ${productIds.join(', ')}`;
  const about = { name: `${name} ${version}` };
  if (!found) return { ...about, ok: false, message: `${serves}: not started` };
  const ready = readyWorkers(found);
  const failure = found.lastError === undefined ? '' : `; last failure: ${found.lastError.message}`;
  return {
    ...about,
    ok: ready > 0 && found.circuit !== 'open',
    message: `${serves}: ${found.state}, ${ready} of ${found.workers.length} workers ready${ready > 0 ? '' : failure}`,
  };
}

function missing({ name, version, productIds }: ActiveVersion): HealthCheck {
  const message = `serves ${productIds.join(', ')}, and is not deployed: install it, or deactivate`;
  return { name: `${name} ${version}`, ok: false, message };
}
