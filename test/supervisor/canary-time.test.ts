import { expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { Registry } from '../../src/registry/registry.js';
import { DeploymentTable } from '../../src/supervisor/deployments/deployment-table.js';
import { resolvePolicy } from '../../src/supervisor/policy.js';
import { resolveProbation } from '../../src/supervisor/switching/probation.js';
import { Router } from '../../src/supervisor/deployments/router.js';
import { Retirement } from '../../src/supervisor/switching/retirement.js';
import { VersionPolicies } from '../../src/supervisor/version-policies.js';
import { Canaries } from '../../src/supervisor/switching/canaries.js';
import type { SupervisorEvents } from '../../src/supervisor/events.js';
import type { InspectionResult } from '../../src/supervisor/types.js';
import { bothIds } from '../../src/product-ids.js';
import { VirtualClock } from '../../src/testing/index.js';
import { GpuMemory } from '../../src/supervisor/pool/gpu-memory.js';
import { ForkServers } from '../../src/supervisor/warm-start/fork-servers.js';
import { deployVersion } from '../support/deployed-version.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Version 2 on trial for `A`, version 1 standing by, in a time that stands still. */
async function onTrial() {
  const registry = await Registry.open(await temporaryFolder(), { durability: 'none' });
  const frames = new FramePool();
  const clock = new VirtualClock();
  const events: string[] = [];
  const emit = (name: keyof SupervisorEvents, ..._: unknown[]) => events.push(name);
  const policy = resolvePolicy();
  const policies = new VersionPolicies({ registry, frames, given: {}, flavour: 'sdk' });
  const context = {
    ...{ registry, frames, flavour: 'sdk' as const, policy, clock, emit },
    ...{ servers: new ForkServers(clock), gpus: new GpuMemory({}) },
  };
  const table = new DeploymentTable(context, policies, () => undefined);
  const router = new Router({ registry, table, policies });
  const retirement = new Retirement({ registry, router, emit });
  const canaries = new Canaries({ registry, retirement, clock, emit });
  onTestFinished(async () => {
    await canaries.close();
    await Promise.all(table.all().map((deployment) => deployment.stop()));
    await retirement.settled();
    await frames.close();
    await registry.close();
  });
  const leases = [];
  for (const version of ['1', '2']) {
    const entry = await deployVersion(registry, { version, pids: ['A'] });
    leases.push(await table.obtain(entry, 1));
    await registry.switch({ name: 'sample', version, productIds: ['A'] });
  }
  const [old, young] = leases.map(({ deployment }) => deployment);
  if (!old || !young) throw new Error('both are started');
  await Promise.all([old.ready, young.ready]);
  for (const { release } of leases) release();
  canaries.begin(young, [old], ['A'], resolveProbation({ durationMs: 60_000 }));
  const answer = (status: 'OK' | 'ERROR') => {
    const result = { status, timing: { totalMs: 1 } } as InspectionResult;
    const event: SupervisorEvents['result'][0] = {
      ...{ name: 'sample', version: '2', ...bothIds('A'), phase: 'execute', result },
    };
    canaries.watch('result', event);
  };
  const verdicts = () => events.filter((name) => name === 'probationPassed' || name === 'switchedBack');
  return { registry, clock, canaries, answer, verdicts };
}

test('a trial of 60 s is passed in its last millisecond, not before', async () => {
  const { clock, answer, verdicts, registry } = await onTrial();
  answer('OK');
  clock.advance(59_999);
  expect(verdicts()).toEqual([]);
  clock.advance(1);
  expect(verdicts()).toEqual(['probationPassed']);
  expect((await registry.active()).A?.version).toBe('2');
});

test('a trial of 60 s in which every call failed is failed in its last millisecond, and the version before serves again', async () => {
  const { clock, answer, verdicts, registry, canaries } = await onTrial();
  for (let call = 0; call < 3; call++) answer('ERROR');
  clock.advance(59_999);
  expect(verdicts()).toEqual([]);
  clock.advance(1);
  await canaries.close(); // waits for the way back
  expect(verdicts()).toEqual(['switchedBack']);
  expect((await registry.active()).A).toMatchObject({
    version: '1',
    barred: [{ version: '2', reason: '3 of 3 calls failed' }],
  });
});

test('closing in the middle of a trial leaves no timer of it, and no verdict', async () => {
  const { clock, answer, verdicts, canaries } = await onTrial();
  answer('ERROR');
  await canaries.close();
  clock.advance(600_000);
  expect(verdicts()).toEqual([]);
});
