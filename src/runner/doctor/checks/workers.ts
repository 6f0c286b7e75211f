import { RunnerError } from '../../../errors.js';
import { isSame } from '../../../registry/mappings.js';
import { policyOf } from '../../../registry/policies.js';
import type { RegistryContent } from '../../../registry/registry-file.js';
import { Registry } from '../../../registry/registry.js';
import { AlgorithmSupervisor } from '../../../supervisor/algorithm-supervisor.js';
import { resolvePolicy, supervisorPart } from '../../../supervisor/policy.js';
import { readyWorkers } from '../../../supervisor/ready-workers.js';
import { inOrder } from '../../../supervisor/start-active.js';
import type { SupervisedStatus } from '../../../supervisor/types.js';
import { explanationOf } from '../explain.js';
import { finding, type Finding } from '../finding.js';
import type { Examination } from './context.js';

/** Starts after the first that are no accident any more. */
const MANY_RESTARTS = 3;

/** Workers of a running host: which versions answer, and why others do not. */
export function examineWorkers(supervisor: AlgorithmSupervisor, { active }: RegistryContent): Finding[] {
  const status = supervisor.status();
  const found: Finding[] = [];
  for (const version of inOrder(active)) {
    if (status.some((one) => isSame(one, version))) continue;
    const { name, version: number, productIds } = version;
    const what = `${name} ${number} serves ${productIds.join(', ')} and was not started`;
    found.push(
      finding('worker.not-started', {
        what,
        why: 'Its first call waits for the start',
        name,
        version: number,
      }),
    );
  }
  return [...found, ...status.flatMap(examineStatus)];
}

function examineStatus(status: SupervisedStatus): Finding[] {
  const { name, version, circuit, restarts, queued, workers, lastError, productIds } = status;
  const about = { name, version };
  const explained = lastError && explanationOf(lastError);
  const cause = explained?.findings[0]?.what ?? lastError?.message ?? 'No failure was recorded';
  const remedy = explained?.findings[0]?.remedy;
  const ready = readyWorkers(status);
  const found: Finding[] = [];
  if (circuit === 'open') {
    const what = `Workers of ${name} ${version} failed too often and are not started for a while`;
    found.push(
      finding('worker.circuit-open', { what, why: cause, ...(remedy !== undefined && { remedy }), ...about }),
    );
  } else if (ready === 0 && productIds.length > 0) {
    const what = `None of ${workers.length} workers of ${name} ${version} is ready`;
    found.push(
      finding('worker.not-started', { what, why: cause, ...(remedy !== undefined && { remedy }), ...about }),
    );
  } else if (restarts >= MANY_RESTARTS) {
    const what = `Workers of ${name} ${version} were started ${restarts} times more`;
    found.push(
      finding('worker.failing', { what, why: cause, ...(remedy !== undefined && { remedy }), ...about }),
    );
  }
  if (queued > workers.length) {
    const what = `${queued} calls wait for ${workers.length} ${workers.length === 1 ? 'worker' : 'workers'} of ${name} ${version}`;
    found.push(
      finding('worker.queue', { what, why: 'The line asks faster than the algorithm answers', ...about }),
    );
  }
  const missing = new Set(workers.flatMap(({ bounds }) => bounds?.missing ?? []));
  if (missing.size > 0) {
    const what = `Workers of ${name} ${version} run without some of their bounds`;
    found.push(finding('worker.bounds', { what, why: [...missing].join('; '), ...about }));
  }
  return found;
}

/** Starts the version once, as a host does, and measures how long that takes. */
export async function examineStart(
  { layout, only, signal }: Examination,
  content: RegistryContent,
): Promise<Finding[]> {
  if (!only) return [];
  const { name, version } = only;
  const registry = await Registry.open(layout, { signal });
  const supervisor = new AlgorithmSupervisor({ registry, policy: { workers: 1 } });
  const startedAt = performance.now();
  try {
    await supervisor.start(name, version, { signal });
    const tookMs = performance.now() - startedAt;
    const { loadMs: limitMs = Infinity } = resolvePolicy(
      supervisorPart(policyOf(content, only) ?? {}),
    ).limits;
    if (tookMs <= limitMs / 2) return [];
    const what = `The start of ${name} ${version} took ${Math.round(tookMs / 1000)} seconds`;
    return [finding('start.slow', { what, why: `It may take ${limitMs / 1000} seconds`, name, version })];
  } catch (error) {
    if (!RunnerError.is(error) || error.code === 'aborted') throw error;
    const { findings, remedy } = explanationOf(error);
    const what = `${name} ${version} does not start (${error.code})`;
    return [finding('start.failed', { what, why: error.message, remedy, name, version }), ...findings];
  } finally {
    await supervisor.close();
    await registry.close();
  }
}
