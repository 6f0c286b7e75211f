import { settleOrAbort, throwIfAborted } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { VersionRef } from '../../package/types.js';
import { checkNotBarred } from '../../registry/barring.js';
import { checkPids, checkSupported, isSame, supports } from '../../registry/mappings.js';
import type { Registry } from '../../registry/registry.js';
import type { ActiveMapping } from '../../registry/types.js';
import type { Deployment, Emit } from '../deployments/deployment.js';
import type { DeploymentTable, HeldDeployment } from '../deployments/deployment-table.js';
import type { Gate } from '../deployments/gate.js';
import type { SupervisorPolicy } from '../policy.js';
import { resolveProbation, type ProbationPolicy } from './probation.js';
import type { Router } from '../deployments/router.js';
import type { Retirement } from './retirement.js';
import type { Trials } from './trials.js';
import type { RollbackOptions, SwitchOptions, WarmUp } from './types.js';
import { distinct } from './version-refs.js';

/** Makes the calls that a version must answer before it serves anybody. */
type MakeWarmUp = (deployment: Deployment, asked: WarmUp, signal: AbortSignal | undefined) => Promise<void>;
type Mappings = Readonly<Record<string, ActiveMapping>>;

/**
 * Moves product ids from one version to another while calls go on: the new one is ready before it is mapped, the old
 * one finishes what it has. Changes are made one after the other, each on what the last one left.
 */
export class Switcher {
  readonly #gate: Gate;
  readonly #registry: Registry;
  readonly #table: DeploymentTable;
  readonly #router: Router;
  readonly #retirement: Retirement;
  readonly #trials: Trials;
  readonly #policy: Readonly<SupervisorPolicy>;
  readonly #emit: Emit;
  readonly #warmUp: MakeWarmUp;
  #turn: Promise<unknown> = Promise.resolve();
  #isFollowQueued = false;
  #isClosed = false;

  constructor(o: {
    gate: Gate;
    registry: Registry;
    table: DeploymentTable;
    router: Router;
    retirement: Retirement;
    trials: Trials;
    policy: Readonly<SupervisorPolicy>;
    emit: Emit;
    warmUp: MakeWarmUp;
  }) {
    this.#gate = o.gate;
    this.#registry = o.registry;
    this.#table = o.table;
    this.#router = o.router;
    this.#retirement = o.retirement;
    this.#trials = o.trials;
    this.#policy = o.policy;
    this.#emit = o.emit;
    this.#warmUp = o.warmUp;
  }

  /** See {@link AlgorithmSupervisor.switch}. */
  switch(o: SwitchOptions): Promise<void> {
    return this.#inTurn(o.signal, () =>
      this.#move(o, (pids) => {
        const { name, version, operator, force, signal } = o;
        return this.#registry.switch({ name, version, pids, operator, force, signal });
      }),
    );
  }

  /** See {@link AlgorithmSupervisor.rollback}. */
  rollback({ pid, to, operator, warmUp, force, signal }: RollbackOptions): Promise<void> {
    return this.#inTurn(signal, async () => {
      const mapping = (await this.#registry.active())[pid];
      const target = to ?? (await this.#earlier(mapping));
      if (!target) {
        throw new RunnerError('not_found', `${pid} has no earlier version that is kept`, {
          details: { pids: [pid] },
        });
      }
      const { name, version } = target;
      await this.#move({ name, version, pids: [pid], operator, warmUp, force, signal }, async (pids) =>
        to
          ? this.#registry.switch({ name, version, pids, operator, force, signal })
          : [await this.#registry.rollback({ pid, operator, signal })],
      );
    });
  }

  /** The registry was changed by somebody else: what it says now is made ready, what it left is ended. */
  follow(): void {
    if (this.#isFollowQueued || this.#isClosed) return;
    this.#isFollowQueued = true;
    this.#inTurn(undefined, async () => {
      this.#isFollowQueued = false;
      await this.#follow();
    }).catch((error: unknown) => {
      if (RunnerError.is(error) && !RunnerError.is(error, 'closed')) this.#emit('error', { error });
    });
  }

  /** Waits for the change that is under way and makes no further one. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turn;
    await this.#trials.close();
    await this.#retirement.settled();
  }

  /** Whoever gives up waiting leaves the line; those behind still wait for those before. */
  #inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const turn = settleOrAbort(signal, before).then(() => {
      this.#gate.check('its turn to switch');
      return work();
    });
    this.#turn = Promise.allSettled([before, turn]);
    return turn;
  }

  async #move(o: SwitchOptions, commit: (pids: string[]) => Promise<unknown>): Promise<void> {
    const { name, version, signal } = o;
    throwIfAborted(signal, 'switch');
    const pids = checkPids(o.pids);
    const probation = o.probation && resolveProbation(o.probation);
    const entry = await this.#router.entry(name, version);
    checkSupported(entry, pids);
    const active = await this.#registry.active();
    if (!o.force) checkNotBarred({ active }, { name, version, pids });
    const stood = this.#table.find(name, version) !== undefined;
    if (!stood) this.#table.forgive(name, version);
    const { deployment, letGo } = await this.#gate.hold(() =>
      this.#table.obtain(entry, this.#workersOf(active, pids), signal),
    );
    let before: Mappings;
    try {
      await settleOrAbort(signal, deployment.serving());
      if (o.warmUp) await this.#warmUp(deployment, o.warmUp, signal);
      throwIfAborted(signal, 'switch');
      this.#gate.check('it had switched');
      // Looked up again: others may have moved an id while the new version was made ready.
      before = await this.#registry.active();
      await commit(pids);
    } catch (error) {
      letGo();
      // Nothing has changed; one that was started for this alone goes again.
      if (!stood) await this.#retirement.retire(deployment, { sparePinned: true }).catch(() => undefined);
      throw error;
    }
    letGo();
    await this.#moved(deployment, pids, before, probation);
  }

  /** The ids are mapped to the new version: what follows for the versions they were moved from. */
  async #moved(
    deployment: Deployment,
    pids: readonly string[],
    before: Mappings,
    probation: ProbationPolicy | undefined,
  ): Promise<void> {
    const { name, version } = deployment.entry;
    for (const pid of pids) deployment.servedPids.add(pid);
    const moved = pids.filter((pid) => !before[pid] || !isSame(before[pid], deployment.entry));
    const from = distinct(moved.map((pid) => before[pid]));
    this.#trials.supersede(moved);
    this.#emit('switched', { name, version, pids: [...pids], from });
    if (probation) {
      const old = await this.#keepReady(from, deployment.pool.slots.length);
      // An id that nobody served before has no version to go back to.
      const returning = moved.filter((pid) => before[pid]);
      if (old.length > 0) this.#trials.begin(deployment, old, returning, probation);
      for (const { letGo } of old) letGo();
    } else {
      const old = from.flatMap((one) => this.#table.find(one.name, one.version) ?? []);
      await Promise.all(old.map((one) => this.#retirement.retire(one)));
    }
  }

  /** The versions before, held; one that had not served here yet is started for the case that it must. */
  async #keepReady(from: readonly VersionRef[], workers: number): Promise<HeldDeployment[]> {
    const kept: HeldDeployment[] = [];
    for (const one of from) {
      const standing = this.#table.find(one.name, one.version);
      if (standing) {
        kept.push({ deployment: standing, letGo: standing.hold() });
        continue;
      }
      const entry = await this.#registry.get(one.name, one.version);
      if (entry) kept.push(await this.#gate.hold(() => this.#table.obtain(entry, workers)));
    }
    return kept;
  }

  /** As many as the ids have now. */
  #workersOf(active: Mappings, pids: readonly string[]): number {
    const standing = distinct(pids.map((pid) => active[pid])).map((one) =>
      this.#table.find(one.name, one.version),
    );
    return Math.max(this.#policy.workers, ...standing.map((one) => one?.pool.slots.length ?? 0));
  }

  async #follow(): Promise<void> {
    const active = await this.#registry.active();
    this.#trials.follow(active);
    const moved = this.#table.all().flatMap((deployment) => {
      const elsewhere = [...deployment.servedPids].filter((pid) => {
        const mapping = active[pid];
        return mapping !== undefined && !isSame(mapping, deployment.entry);
      });
      for (const pid of elsewhere) deployment.servedPids.delete(pid);
      return elsewhere.length > 0 && !deployment.isEnding ? [{ deployment, pids: elsewhere }] : [];
    });
    for (const { deployment, pids } of moved) {
      // Made ready at once: the next call is already on its way there.
      for (const next of distinct(pids.map((pid) => active[pid]))) {
        const entry = await this.#registry.get(next.name, next.version);
        if (!entry) continue;
        const workers = Math.max(1, deployment.pool.slots.length);
        const held = await this.#gate.hold(() => this.#table.obtain(entry, workers));
        for (const pid of pids)
          if (active[pid] && isSame(active[pid], entry)) held.deployment.servedPids.add(pid);
        held.letGo();
      }
      void this.#retirement.retire(deployment);
    }
  }

  /** The one that the registry would roll back to. */
  async #earlier(mapping: ActiveMapping | undefined): Promise<VersionRef | undefined> {
    for (const past of mapping?.history ?? []) {
      const entry = await this.#registry.get(past.name, past.version);
      if (entry && supports(entry, mapping?.pid ?? '')) return past;
    }
    return undefined;
  }
}
