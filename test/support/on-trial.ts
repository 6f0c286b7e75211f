import { expect, onTestFinished } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { bothIds } from '../../src/product-ids.js';
import type { Deployment } from '../../src/supervisor/deployments/deployment.js';
import { DeploymentTable } from '../../src/supervisor/deployments/deployment-table.js';
import { SplitTable } from '../../src/supervisor/deployments/splits.js';
import { SessionTable } from '../../src/supervisor/calls/sessions.js';
import { Router } from '../../src/supervisor/deployments/router.js';
import type { SupervisorEvents } from '../../src/supervisor/events.js';
import { resolvePolicy, type SupervisorPolicy } from '../../src/supervisor/policy.js';
import { GpuMemory } from '../../src/supervisor/pool/gpu-memory.js';
import { Canaries } from '../../src/supervisor/switching/canaries.js';
import { resolveProbation, type ProbationPolicy } from '../../src/supervisor/switching/probation.js';
import { Retirement } from '../../src/supervisor/switching/retirement.js';
import type { InspectionResult } from '../../src/supervisor/types.js';
import { VersionPolicies } from '../../src/supervisor/version-policies.js';
import { ForkServers } from '../../src/supervisor/warm-start/fork-servers.js';
import { FakeWorker, TemporaryStore, VirtualClock } from '../../src/testing/index.js';

/** What of the events says how a trial went. */
const TOLD: ReadonlySet<string> = new Set([
  'accepted',
  'probationPassed',
  'switchedBack',
  'error',
  'drained',
]);

/**
 * Version 2 of `sample`, which serves `A` and `B`; version 1, which served them before; and version 3, which served
 * nothing: all started, in a time that stands still. Trials are begun by the test.
 */
export async function trialGround(given: Partial<SupervisorPolicy> = {}) {
  const store = await TemporaryStore.open();
  const { registry } = store;
  const frames = new FramePool();
  const clock = new VirtualClock();
  const told: { name: string; event: unknown }[] = [];
  const emit = (name: keyof SupervisorEvents, event: unknown) => {
    if (TOLD.has(name)) told.push({ name, event });
  };
  const policy = resolvePolicy();
  const policies = new VersionPolicies({ registry, frames, given, flavour: 'sdk' });
  const context = {
    ...{ registry, frames, flavour: 'sdk' as const, policy, clock, emit },
    ...{ servers: new ForkServers(clock), gpus: new GpuMemory({}) },
  };
  const table = new DeploymentTable(context, policies, () => undefined);
  const splits = new SplitTable(new SessionTable());
  const router = new Router({ registry, table, policies, splits });
  const retirement = new Retirement({ registry, router, emit });
  const canaries = new Canaries({ registry, retirement, clock, emit });
  onTestFinished(async () => {
    await canaries.close();
    await Promise.all(table.all().map((deployment) => deployment.stop()));
    await retirement.settled();
    await frames.close();
    await store.close();
  });
  /** Versions whose workers do not start any more. */
  const broken = new Set<string>();
  const started = async (version: string): Promise<Deployment> => {
    const worker = new FakeWorker({
      start: (process) => {
        if (broken.has(version)) throw new Error('no licence');
        process.hello();
      },
    });
    const entry = await store.deploy({ version, productIds: ['A', 'B'], worker });
    const { deployment, release } = await table.obtain(entry, 1);
    release();
    return deployment;
  };
  const [old, young, third] = [await started('1'), await started('2'), await started('3')];
  await Promise.all([old.ready, young.ready, third.ready]);
  const productIds = ['A', 'B'];
  for (const version of ['1', '2']) await registry.switch({ name: 'sample', version, productIds });
  const begin = (trial: Partial<ProbationPolicy> = {}, before = [old], ids = productIds) =>
    canaries.begin(young, before, ids, resolveProbation(trial));
  const answer = (status: 'OK' | 'ERROR', o: { productId?: string; totalMs?: number } = {}) => {
    const { productId = 'A', totalMs = 1 } = o;
    const result = { status, timing: { totalMs } } as InspectionResult;
    const event: SupervisorEvents['result'][0] = {
      ...{ name: 'sample', version: '2', ...bothIds(productId), phase: 'execute', result },
    };
    canaries.watch('result', event);
  };
  /** Kills the worker of a version; resolves when its circuit is open. */
  const fell = async (deployment: Deployment) => {
    process.kill(deployment.pool.ready?.processId ?? 0, 'SIGKILL');
    await expect.poll(() => deployment.pool.circuit, { interval: 5 }).toBe('open');
  };
  const names = () => told.map(({ name }) => name);
  const servedBy = async () => {
    const active = await registry.active();
    return [active.A?.version, active.B?.version];
  };
  return {
    ...{
      store,
      registry,
      clock,
      canaries,
      retirement,
      old,
      young,
      third,
      begin,
      answer,
      told,
      names,
      servedBy,
      broken,
      fell,
    },
  };
}
