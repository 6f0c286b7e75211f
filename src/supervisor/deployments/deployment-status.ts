import type { RunnerError } from '../../errors.js';
import { bothProcessIds } from '../../product-ids.js';
import type { Registry } from '../../registry/registry.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { WorkerSpec } from '../../worker/types.js';
import type { LatencyWindow } from '../latency.js';
import type { WarmStartStatus } from '../warm-start/types.js';
import type { SupervisedState, SupervisedStatus, SupervisedWorker } from '../types.js';
import type { GpuMemory } from '../pool/gpu-memory.js';
import type { WorkerPool } from '../pool/worker-pool.js';
import type { WorkerSlot } from '../pool/worker-slot.js';

/** A deployment as a dashboard wants it. Reads `/proc` once for each worker, and only when asked. */
export function deploymentStatus(
  deployment: { entry: RegistryEntry; pool: WorkerPool; state: SupervisedState; latency: LatencyWindow },
  o: {
    now: number;
    createdAt: number;
    lastError: RunnerError | undefined;
    registry: Registry;
    gpus: GpuMemory;
    env: WorkerSpec['env'] | undefined;
    warmStart: WarmStartStatus;
  },
): Omit<SupervisedStatus, 'trial' | 'canary'> {
  const { entry, pool, state, latency } = deployment;
  const workers = pool.slots.map((slot) => workerStatus(slot, pool.queuedFor(slot), o));
  return {
    name: entry.name,
    version: entry.version,
    productIds: o.registry.productIdsOf(entry.name, entry.version),
    policy: o.registry.policyOf(entry.name, entry.version) ?? {},
    threads: Number(o.env?.OMP_NUM_THREADS) || undefined,
    devices: o.env?.CUDA_VISIBLE_DEVICES?.split(','),
    generation: pool.ready?.generation ?? entry.generation,
    state,
    circuit: pool.circuit,
    ...bothProcessIds(workers.find(({ processId }) => processId !== undefined)?.processId),
    uptimeMs: o.now - o.createdAt,
    restarts: workers.reduce((sum, { restarts }) => sum + restarts, 0),
    inFlight: pool.inFlight,
    queued: pool.queued,
    spares: pool.spares,
    warmStart: o.warmStart,
    latency: latency.summary(),
    rssBytes: sum(workers.map(({ rssBytes }) => rssBytes)),
    cpu: sum(workers.map(({ cpu }) => cpu)),
    gpuMemoryBytes: sum(workers.map(({ gpuMemoryBytes }) => gpuMemoryBytes)),
    lastError: o.lastError,
    workers,
  };
}

function workerStatus(
  slot: WorkerSlot,
  queued: number,
  { now, gpus }: { now: number; gpus: GpuMemory },
): SupervisedWorker {
  const { worker, readyAt } = slot;
  const usage = worker?.processId === undefined ? undefined : slot.usage.sample(worker.processId, now);
  const uses = worker?.processId === undefined ? undefined : gpus.of(worker.processId);
  return {
    worker: slot.index,
    state: worker?.state ?? (slot.isStarting ? 'starting' : 'waiting'),
    ...bothProcessIds(worker?.processId),
    uptimeMs: readyAt === undefined ? 0 : now - readyAt,
    restarts: slot.restarts,
    inFlight: slot.isBusy ? 1 : 0,
    queued,
    calls: slot.calls,
    latency: slot.latency.summary(),
    rssBytes: usage?.rssBytes,
    cpu: usage?.cpu,
    gpuMemoryBytes: uses && sum([0, ...uses.map(({ memoryBytes }) => memoryBytes)]),
    gpus: uses,
    pictures: slot.pictures,
    bounds: worker?.bounds,
    lastError: slot.lastError,
  };
}

function sum(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((total, value) => total + value, 0);
}
