import { settleOrAbort } from '../abort.js';
import type { VersionRef } from '../package/types.js';
import { askInfo } from './algorithm-info.js';
import { CallService } from './calls/call-service.js';
import { GuideBook } from './calls/guide-book.js';
import { Inspector } from './calls/inspector.js';
import { ManyCalls } from './calls/many-calls.js';
import { SessionTable } from './calls/sessions.js';
import { Deadline } from './clock.js';
import type { DeploymentContext } from './deployments/deployment.js';
import { DeploymentTable } from './deployments/deployment-table.js';
import { SplitTable } from './deployments/splits.js';
import { Router } from './deployments/router.js';
import type { SupervisorEvents } from './events.js';
import { Observers } from './observers.js';
import { OutboxFeed } from './outbox/outbox-feed.js';
import type { ResultOutbox } from './outbox/result-outbox.js';
import type { SupervisorPolicy } from './policy.js';
import { GpuMemory } from './pool/gpu-memory.js';
import { Retirement } from './switching/retirement.js';
import { Switcher } from './switching/switcher.js';
import { Canaries } from './switching/canaries.js';
import { CanaryShares } from './switching/canary-shares.js';
import { warmUp } from './switching/warm-up.js';
import type { Registry } from '../registry/registry.js';
import { deploymentOf } from '../registry/same-deployment.js';
import { ForkServers } from './warm-start/fork-servers.js';
import { VersionPolicies } from './version-policies.js';
import type { HostLogger, WorkerLogOptions } from './worker-logs/types.js';
import { WorkerLogs } from './worker-logs/worker-logs.js';

export { startActive } from './start-active.js';

/** What a supervisor is made from: its options, defaults filled in. */
export interface SupervisorContext extends Omit<DeploymentContext, 'servers' | 'gpus'> {
  given: Partial<SupervisorPolicy>;
  /** Of the logs of workers on disk. */
  workerLogs: Required<WorkerLogOptions>;
  logger: HostLogger | undefined;
  /** Where verdicts go. */
  outbox: ResultOutbox | undefined;
}

/** What a supervisor works with, loaded when it is first given something to do. */
export type SupervisorParts = ReturnType<typeof composeParts>;

/** Events of the registry that may have moved a product id, or changed a policy. */
const FOLLOWED = [
  'changed',
  'registered',
  'unregistered',
  'activated',
  'deactivated',
  'switched',
  'rolledBack',
  'configured',
] as const;

/** Ends the fork servers of versions that were removed or replaced. */
async function dropRemoved(servers: ForkServers, registry: Registry): Promise<void> {
  for (const { key, name, version, deployment } of servers.all()) {
    const entry = await registry.get(name, version).catch(() => null);
    if (entry === null) continue; // the store cannot be read now
    if (deploymentOf(entry) !== deployment) servers.drop((one) => one === key);
  }
}

/** Makes the parts of a supervisor, which follow the registry until `close`. */
export function composeParts(context: SupervisorContext) {
  const { registry, frames, policy, clock, emit } = context;
  const sessions = new SessionTable();
  const policies = new VersionPolicies(context);
  const servers = new ForkServers(clock);
  const gpus = new GpuMemory();
  const table = new DeploymentTable({ ...context, servers, gpus }, policies, (deployment) => {
    sessions.forget(deployment);
  });
  const splits = new SplitTable(sessions);
  const router = new Router({ registry, table, policies, splits });
  const retirement = new Retirement({ registry, router, emit });
  /** The limit of a question that is about no image. */
  const deadline = (signal: AbortSignal | undefined) =>
    new Deadline(clock, clock.now(), policy.infoTimeoutMs, signal);
  const inspector = new Inspector({ clock, frames, sessions });
  const guides = new GuideBook(registry);
  const calls = new CallService({ table, router, inspector, guides, clock, emit });
  const manyCalls = new ManyCalls(calls);
  const canaries = new Canaries({ registry, retirement, clock, emit });
  const shares = new CanaryShares({ registry, splits, table, retirement, clock, emit });
  const switcher = new Switcher({
    ...{ registry, table, router, retirement, canaries, shares, policies, emit },
    warmUp: (deployment, asked, signal) => warmUp(calls, deployment, asked, signal),
  });
  const observers = new Observers({ inspector, table, router, retirement, policy, clock });
  const logs = new WorkerLogs(registry.layout.workerLogs, context.workerLogs, context.logger);
  const entryOf = (name: string, version: string) => table.find(name, version)?.entry;
  const feed = context.outbox && new OutboxFeed(context.outbox, { entryOf, emit });
  if (feed) observers.observe(feed);
  const follow = () => {
    switcher.follow();
    table.followPolicies();
    void dropRemoved(servers, registry);
  };
  for (const event of FOLLOWED) registry.on(event, follow);
  const stopAll = () => Promise.all(table.all().map((deployment) => deployment.stop({ reason: 'closed' })));
  return {
    ...{ policies, table, router, sessions, calls, manyCalls, canaries, shares, switcher, observers, logs },
    /** Gets each event, before its listeners do. */
    watch: <K extends keyof SupervisorEvents>(name: K, ...args: SupervisorEvents[K]) => {
      const [event] = args;
      canaries.watch(name, ...args);
      shares.watch(name, ...args);
      logs.watch(name, ...args);
      feed?.watch(name, event);
    },
    status: () =>
      table.all().map((one) => ({
        ...{ ...one.status(), trial: canaries.trialOf(one), canary: shares.statusOf(one) },
      })),
    /** See `AlgorithmSupervisor.info`. */
    info: async (target: VersionRef, signal: AbortSignal | undefined) => {
      const { deployment, release } = await router.route({ target });
      try {
        await settleOrAbort(signal, deployment.ready);
        return await askInfo(deployment, registry.layout, deadline(signal));
      } finally {
        release();
      }
    },
    /** See `AlgorithmSupervisor.reset`. */
    reset: async (id: string, signal: AbortSignal | undefined) => {
      const asked = sessions.take(id).map(async ({ deployment, worker }) => {
        const isThere = !deployment.isEnding && worker < deployment.pool.slots.length;
        if (!isThere || !deployment.pool.ready?.capabilities.includes('reset')) return;
        await deployment.ask({ phase: 'reset', session: { id, context: {} } }, deadline(signal), worker);
      });
      await Promise.all(asked);
    },
    /** Ends everything. The frames are the supervisor's to close. */
    close: async () => {
      table.close();
      shares.close(); // the stops that follow raise no event of a canary
      for (const event of FOLLOWED) registry.off(event, follow);
      await router.settled();
      const ending = [observers.close(), switcher.close()];
      await stopAll();
      await Promise.all(ending);
      await stopAll();
      await feed?.close();
      await servers.close();
      await Promise.all([logs.close(), gpus.close()]);
    },
  };
}
