import { settleOrAbort, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { bothNames, productIdOf, productIdsOf } from '../../product-ids.js';
import type { VersionRef } from '../../package/types.js';
import { checkNotBarred } from '../../registry/barring.js';
import { checkSupported, isSame, supports } from '../../registry/mappings.js';
import { checkKeptParams } from '../../registry/params.js';
import type { Registry } from '../../registry/registry.js';
import type { ActiveMapping, RegistryEntry } from '../../registry/types.js';
import type { Deployment, Emit } from '../deployments/deployment.js';
import type { DeploymentTable } from '../deployments/deployment-table.js';
import { resolveProbation, type ProbationPolicy } from './probation.js';
import type { Router } from '../deployments/router.js';
import { Orders, type Order } from './orders.js';
import type { Retirement } from './retirement.js';
import type { Canary, Canaries } from './canaries.js';
import type { CanaryShare, CanaryShares } from './canary-shares.js';
import { basesOf, resolveShare, type ShareSteps } from './share-options.js';
import type { RollbackOptions, SwitchOptions, SwitchOrder, WarmUp } from './types.js';
import type { VersionPolicies } from '../version-policies.js';
import { isSameDeployment } from '../../registry/same-deployment.js';
import { distinct } from './version-refs.js';

/** Makes the calls that a version must answer before it serves anybody. */
type MakeWarmUp = (deployment: Deployment, asked: WarmUp, signal: AbortSignal | undefined) => Promise<void>;
type Mappings = Readonly<Record<string, ActiveMapping>>;
/** An order, its options checked. */
type Move = Pick<SwitchOrder, 'name' | 'version' | 'warmUp' | 'force' | 'params'> & {
  pids: string[];
  operator?: string | undefined;
  probation?: ProbationPolicy;
};

/**
 * Moves product ids from one version to another while calls go on: the new one is ready before it is mapped, the old
 * one finishes what it has. The committed mapping is the promise: an order ends when its product ids are served by the new
 * version, and all that follows for the old one goes on behind it.
 */
export class Switcher {
  readonly #registry: Registry;
  readonly #table: DeploymentTable;
  readonly #router: Router;
  readonly #retirement: Retirement;
  readonly #canaries: Canaries;
  readonly #shares: CanaryShares;
  readonly #policies: VersionPolicies;
  readonly #emit: Emit;
  readonly #warmUp: MakeWarmUp;
  readonly #orders = new Orders();
  /** Versions that are made ready while no caller waits. */
  readonly #work = new Set<Promise<void>>();
  #isFollowQueued = false;
  #isClosed = false;

  constructor(o: {
    registry: Registry;
    table: DeploymentTable;
    router: Router;
    retirement: Retirement;
    canaries: Canaries;
    shares: CanaryShares;
    policies: VersionPolicies;
    emit: Emit;
    warmUp: MakeWarmUp;
  }) {
    this.#registry = o.registry;
    this.#table = o.table;
    this.#router = o.router;
    this.#retirement = o.retirement;
    this.#canaries = o.canaries;
    this.#shares = o.shares;
    this.#policies = o.policies;
    this.#emit = o.emit;
    this.#warmUp = o.warmUp;
  }

  /** See {@link AlgorithmSupervisor.switch}. */
  async switch(o: SwitchOptions): Promise<void> {
    const { name, version, operator, force, params, signal } = o;
    const pids = productIdsOf('supervisor.switch({ name, version, productIds })', o);
    const probation = o.probation && resolveProbation(o.probation);
    const share = resolveShare(o);
    const move: Move = { name, version, warmUp: o.warmUp, force, pids, operator, probation, params };
    if (o.dryRun) {
      const { active } = await this.#check(move);
      if (share) basesOf(active, { name, version }, pids);
      return;
    }
    const subject = { title: `switch to ${name} ${version}`, productIds: pids };
    await this.#orders.run(subject, signal, async (order) => {
      if (share) {
        basesOf(await this.#registry.active(), { name, version }, pids);
        await this.#move(move, order, (deployment) => this.#beginShare(move, share, deployment));
        return;
      }
      const change = { name, version, productIds: pids, operator, force, params, signal: order.signal };
      await this.#move(move, order, (deployment) =>
        this.#commit(move, deployment, () => this.#registry.orders.switch(change)),
      );
    });
  }

  /** See {@link AlgorithmSupervisor.rollback}. */
  async rollback(o: RollbackOptions): Promise<void> {
    const { to, operator, warmUp, force, signal } = o;
    const pid = productIdOf('supervisor.rollback({ productId })', o);
    const pids = [pid];
    const title = to ? `rollback to ${to.name} ${to.version}` : 'rollback';
    await this.#orders.run({ title, productIds: pids }, signal, async (order) => {
      if (!to && this.#shares.has(pid)) {
        // Its calls are the mapped version's again: that is the version before.
        await this.#orders.commit(async () => {
          order.beginCommit();
          this.#shares.takeBack(pids, 'it was rolled back');
          return Promise.resolve();
        });
        return;
      }
      const mapping = (await this.#registry.active())[pid];
      const target = to ?? (await this.#earlier(mapping));
      if (!target) {
        throw new RunnerError('not_found', `${pid} has no earlier version that is kept`, {
          details: { productIds: pids },
        });
      }
      const { name, version } = target;
      // The parameters that were kept with a version come back with it.
      const past = mapping?.history?.find((one) => isSame(one, target));
      const params = past === undefined ? undefined : (past.params ?? {});
      const move: Move = { name, version, pids, warmUp, force, params };
      const write = async () => {
        const asked = { operator, signal: order.signal };
        if (to)
          await this.#registry.orders.switch({ name, version, productIds: pids, force, params, ...asked });
        else {
          const step = mapping && { from: mapping, to: target };
          await this.#registry.orders.rollback({ productId: pid, ...asked }, step);
        }
      };
      await this.#move(move, order, (deployment) => this.#commit(move, deployment, write));
    });
  }

  /** The registry was changed by somebody else: what it says now is made ready, what it left is ended. */
  follow(): void {
    if (this.#isFollowQueued || this.#isClosed) return;
    this.#isFollowQueued = true;
    const followed = this.#orders.commit(async () => {
      this.#isFollowQueued = false;
      this.#table.checkOpen('a change of the registry was followed');
      await this.#follow();
    });
    followed.catch((error: unknown) => {
      if (RunnerError.is(error) && !RunnerError.is(error, 'closed')) this.#emit('error', { error });
    });
  }

  /** Waits for the changes that are under way and makes no further one. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#orders.settled();
    await Promise.allSettled([...this.#work]);
    this.#shares.close();
    await Promise.all([this.#canaries.close(), this.#shares.settled()]);
    await this.#registry.settled();
    await this.#retirement.settled();
  }

  async #move(o: Move, order: Order, commit: (deployment: Deployment) => Promise<unknown>): Promise<void> {
    const { name, version, pids } = o;
    const { signal } = order;
    const { entry, active } = await this.#check(o);
    throwIfAborted(signal);
    const stood = this.#table.find(name, version) !== undefined;
    if (!stood) this.#table.forgive(name, version);
    const { deployment, release } = await this.#table.obtain(
      entry,
      this.#workersOf(entry, active, pids),
      signal,
    );
    try {
      await settleOrAbort(signal, deployment.serving());
      if (o.warmUp) await this.#warmUp(deployment, o.warmUp, signal);
      await this.#orders.commit(async () => {
        this.#table.checkOpen('it had switched');
        order.beginCommit();
        await commit(deployment);
      });
    } catch (error) {
      release();
      // Nothing has changed; a deployment that was started for this order alone is stopped. Others may count on it.
      const stopped = stood || this.#retirement.retire(deployment, { sparePinned: true });
      if (!deployment.isRetained) await Promise.resolve(stopped).catch(() => undefined);
      throw error;
    }
    release();
  }

  /** @throws RunnerError `not_found`, `invalid_pid`, `version_barred` */
  async #check({
    name,
    version,
    pids,
    force,
    params,
  }: Pick<Move, 'name' | 'version' | 'pids' | 'force' | 'params'>): Promise<{
    entry: RegistryEntry;
    active: Mappings;
  }> {
    const entry = await this.#router.entry(name, version);
    checkSupported(entry, pids);
    const active = await this.#registry.active();
    if (!force) checkNotBarred({ active }, { name, version, pids });
    checkKeptParams(entry, pids, active, params);
    return { entry, active };
  }

  async #commit(o: Move, deployment: Deployment, write: () => Promise<unknown>): Promise<void> {
    // Looked up again: another process may have moved an id while the new version was made ready.
    const before = await this.#registry.active();
    await write();
    this.#moved(deployment, o.pids, before, o.probation);
  }

  /** The ids stay where they are, and the version has its share of their calls from now on. */
  async #beginShare(
    { name, version, pids, ...rest }: Move,
    steps: ShareSteps,
    deployment: Deployment,
  ): Promise<void> {
    const bases = basesOf(await this.#registry.active(), { name, version }, pids);
    if (bases.size === 0) return; // all are mapped to it already
    const { params, force, operator } = rest;
    const stood = (canary: CanaryShare) => {
      this.#behind({ name, version }, this.#mapCanary(canary));
    };
    this.#shares.begin({ ...steps, deployment, bases, params, force, operator, stood });
  }

  /** A canary has stood its last step: its ids are mapped to it, and are on trial as after any switch. */
  async #mapCanary(canary: CanaryShare): Promise<void> {
    const { deployment, operator, force, params, policy } = canary.order;
    const { name, version } = deployment.entry;
    await this.#orders.commit(async () => {
      const before = await this.#registry.active();
      if (this.#isClosed || !this.#shares.isRunning(canary)) return;
      const pids = [...canary.splits].flatMap(([id, { base }]) => {
        return before[id] && isSame(before[id], base) ? [id] : [];
      });
      if (pids.length === 0) return; // they were mapped anew, and follow() ends the canary
      try {
        await this.#registry.orders.switch({ name, version, productIds: pids, operator, force, params });
      } catch (error) {
        this.#shares.takeBack(pids, `it could not be mapped: ${(error as Error).message}`);
        throw error;
      }
      this.#moved(deployment, pids, before, policy);
    });
  }

  /**
   * The ids are mapped to the new version: what follows for the versions they were moved from. Nothing here is waited
   * for. The old versions drain behind, and a version that is still busy with another id never holds up an order.
   */
  #moved(
    deployment: Deployment,
    pids: readonly string[],
    before: Mappings,
    probation: ProbationPolicy | undefined,
  ): void {
    const { name, version } = deployment.entry;
    for (const pid of pids) deployment.servedPids.add(pid);
    const moved = pids.filter((pid) => !before[pid] || !isSame(before[pid], deployment.entry));
    const from = distinct(moved.map((pid) => before[pid]));
    this.#canaries.supersede(moved);
    this.#shares.supersede(pids, deployment);
    const standing = from.flatMap((one) => this.#table.find(one.name, one.version) ?? []);
    const returning = moved.filter((pid) => before[pid]);
    // An id that nobody served before has no version to go back to.
    const onTrial = probation !== undefined && returning.length > 0;
    if (onTrial) {
      const canary = this.#canaries.begin(deployment, standing, returning, probation);
      this.#keepReady(canary, from, deployment.pool.slots.length);
    }
    this.#emit('switched', { name, version, ...bothNames(pids), from });
    if (onTrial) return;
    if (moved.length > 0) this.#emit('accepted', { name, version, ...bothNames(moved) });
    for (const one of standing) void this.#retirement.retire(one);
  }

  /** A version before that does not run here yet is started: the trial may have to bring it back. */
  #keepReady(canary: Canary, from: readonly VersionRef[], workers: number): void {
    for (const one of from.filter(({ name, version }) => !this.#table.find(name, version))) {
      this.#behind(one, this.#keepOne(canary, one, workers));
    }
  }

  async #keepOne(canary: Canary, { name, version }: VersionRef, workers: number): Promise<void> {
    const entry = await this.#registry.listed(name, version);
    if (!entry) return;
    const { deployment, release } = await this.#table.obtain(entry, workers);
    this.#canaries.keep(canary, deployment);
    release();
  }

  /** As many as were configured for the version, else as the ids have now. */
  #workersOf(entry: RegistryEntry, active: Mappings, pids: readonly string[]): number {
    const { workers } = this.#policies.of(entry).policy;
    if (this.#registry.policyOf(entry.name, entry.version)?.workers !== undefined) return workers;
    const standing = distinct(pids.map((pid) => active[pid])).map((one) =>
      this.#table.find(one.name, one.version),
    );
    return Math.max(workers, ...standing.map((one) => one?.pool.slots.length ?? 0));
  }

  async #follow(): Promise<void> {
    const active = await this.#registry.active();
    this.#canaries.follow(active);
    await this.#shares.follow();
    await this.#endRemoved(active);
    const moved = this.#table.all().flatMap((deployment) => {
      const elsewhere = [...deployment.servedPids].filter((pid) => {
        const mapping = active[pid];
        return mapping !== undefined && !isSame(mapping, deployment.entry);
      });
      for (const pid of elsewhere) deployment.servedPids.delete(pid);
      return elsewhere.length > 0 && !deployment.isEnding ? [{ deployment, pids: elsewhere }] : [];
    });
    for (const { deployment, pids } of moved) {
      // Made ready at once: the next call is already on its way there. Not waited for: it may end its last calls first.
      for (const next of distinct(pids.map((pid) => active[pid]))) {
        const ids = pids.filter((pid) => active[pid] && isSame(active[pid], next));
        this.#behind(next, this.#makeReady(next, ids, Math.max(1, deployment.pool.slots.length)));
      }
      void this.#retirement.retire(deployment);
    }
  }

  /** What was uninstalled answers nobody any more; what was deployed in its place is made ready where it serves. */
  async #endRemoved(active: Mappings): Promise<void> {
    for (const deployment of this.#table.all()) {
      const { entry, pool } = deployment;
      const { name, version } = entry;
      const listed = await this.#registry.listed(name, version);
      if (deployment.isEnding || isSameDeployment(entry, listed)) continue;
      const reason = listed ? 'its version was deployed anew' : 'it was uninstalled';
      void deployment
        .stop({ finishCalls: true, reason })
        .then(() => this.#emit('drained', { name, version }));
      const pids = Object.keys(active).filter((pid) => active[pid] && isSame(active[pid], entry));
      const workers = Math.max(1, pool.slots.length);
      if (pids.length > 0) this.#behind({ name, version }, this.#makeReady({ name, version }, pids, workers));
    }
  }

  async #makeReady({ name, version }: VersionRef, pids: readonly string[], workers: number): Promise<void> {
    const entry = await this.#registry.listed(name, version);
    if (!entry) return;
    const { deployment, release } = await this.#table.obtain(entry, workers);
    for (const pid of pids) deployment.servedPids.add(pid);
    release();
  }

  /** Work that no caller waits for: what it fails with is an event. */
  #behind(about: VersionRef, work: Promise<void>): void {
    this.#work.add(work);
    work
      .catch((error: unknown) => {
        if (RunnerError.is(error) && !RunnerError.is(error, 'closed'))
          this.#emit('error', { error, ...about });
      })
      .finally(() => this.#work.delete(work));
  }

  /** The version that the registry would roll back to. */
  async #earlier(mapping: ActiveMapping | undefined): Promise<VersionRef | undefined> {
    for (const past of mapping?.history ?? []) {
      const entry = await this.#registry.listed(past.name, past.version);
      if (entry && supports(entry, mapping?.pid ?? '')) return past;
    }
    return undefined;
  }
}
