import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { checkNotBarred } from '../../registry/barring.js';
import { checkSupported } from '../../registry/mappings.js';
import type { Registry } from '../../registry/registry.js';
import type { ActiveMapping } from '../../registry/types.js';
import { settleOrAbort } from '../abortable.js';
import type { Deployment, Emit } from '../deployment.js';
import type { DeploymentTable } from '../deployment-table.js';
import type { SupervisorPolicy } from '../policy.js';
import { resolveProbation } from '../probation.js';
import type { Router } from '../router.js';
import type { InspectionRequest, InspectionResult } from '../types.js';
import type { Retirement } from './retirement.js';
import type { Trials } from './trials.js';
import type { RollbackOptions, SwitchOptions, WarmUp } from './types.js';

/** Makes one call at one deployment, whoever is active. */
export type CallAt = (
  deployment: Deployment,
  request: InspectionRequest,
  o: OperationOptions,
) => Promise<InspectionResult>;

/**
 * Moves product ids from one version to another while calls go on: the new one is ready before it is mapped, the old
 * one finishes what it has. Changes are made one after the other, each on what the last one left.
 */
export class Switcher {
  readonly #registry: Registry;
  readonly #table: DeploymentTable;
  readonly #router: Router;
  readonly #retirement: Retirement;
  readonly #trials: Trials;
  readonly #policy: Readonly<SupervisorPolicy>;
  readonly #emit: Emit;
  readonly #callAt: CallAt;
  #turn: Promise<unknown> = Promise.resolve();
  #isFollowQueued = false;
  #isClosed = false;

  constructor(o: {
    registry: Registry;
    table: DeploymentTable;
    router: Router;
    retirement: Retirement;
    trials: Trials;
    policy: Readonly<SupervisorPolicy>;
    emit: Emit;
    callAt: CallAt;
  }) {
    this.#registry = o.registry;
    this.#table = o.table;
    this.#router = o.router;
    this.#retirement = o.retirement;
    this.#trials = o.trials;
    this.#policy = o.policy;
    this.#emit = o.emit;
    this.#callAt = o.callAt;
  }

  /** See {@link AlgorithmSupervisor.switch}. */
  switch(o: SwitchOptions): Promise<void> {
    return this.#inTurn(() =>
      this.#move(o, () => {
        const { name, version, pids, operator, force, signal } = o;
        return this.#registry.switch({ name, version, pids, operator, force, signal });
      }),
    );
  }

  /** See {@link AlgorithmSupervisor.rollback}. */
  rollback({ pid, to, operator, warmUp, force, signal }: RollbackOptions): Promise<void> {
    return this.#inTurn(async () => {
      const mapping = (await this.#registry.active())[pid];
      const target = to ?? (await this.#earlier(mapping));
      if (!target) {
        throw new RunnerError('not_found', `${pid} has no earlier version that is kept`, {
          details: { pids: [pid] },
        });
      }
      const { name, version } = target;
      await this.#move({ name, version, pids: [pid], operator, warmUp, force, signal }, async () =>
        to
          ? this.#registry.switch({ name, version, pids: [pid], operator, force, signal })
          : [await this.#registry.rollback({ pid, operator, signal })],
      );
    });
  }

  /** The registry was changed by somebody else: what it says now is made ready, what it left is ended. */
  follow(): void {
    if (this.#isFollowQueued || this.#isClosed) return;
    this.#isFollowQueued = true;
    this.#inTurn(async () => {
      this.#isFollowQueued = false;
      await this.#follow();
    }).catch((error: unknown) => {
      if (RunnerError.is(error) && !this.#isClosed) this.#emit('error', { error });
    });
  }

  /** Waits for the change that is under way and makes no further one. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turn.catch(() => undefined);
    await this.#trials.close();
    await this.#retirement.settled();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      if (this.#isClosed)
        throw new RunnerError('closed', 'The supervisor was closed before its turn to switch');
      return work();
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #move(o: SwitchOptions, commit: () => Promise<ActiveMapping[]>): Promise<void> {
    const { name, version, pids, signal } = o;
    throwIfAborted(signal, 'switch');
    const probation = o.probation && resolveProbation(o.probation);
    const entry = await this.#router.entry(name, version);
    checkSupported(entry, pids);
    const active = await this.#registry.active();
    if (!o.force) checkNotBarred({ active }, { name, version, pids });
    const from = distinct(pids.map((pid) => active[pid])).filter((old) => !isSame(old, entry));
    const old = from.map((one) => this.#table.find(one.name, one.version)).filter((one) => one !== undefined);
    const stood = this.#table.find(name, version) !== undefined;
    if (!stood) this.#table.forgive(name, version);
    const workers = Math.max(this.#policy.workers, ...old.map(({ pool }) => pool.slots.length));
    const { deployment, letGo } = await this.#table.obtain(entry, workers);
    try {
      await settleOrAbort(signal, deployment.serving());
      if (o.warmUp) await this.#warmUp(deployment, o.warmUp, signal);
      throwIfAborted(signal, 'switch');
      await commit();
    } catch (error) {
      letGo();
      // Nothing has changed; one that was started for this alone goes again.
      if (!stood && !deployment.isPinned) await this.#retirement.retire(deployment);
      throw error;
    }
    letGo();
    for (const pid of pids) deployment.servedPids.add(pid);
    this.#trials.supersede(pids);
    this.#emit('switched', { name, version, pids: [...pids], from });
    if (probation && old.length > 0) this.#trials.begin(deployment, old, pids, probation);
    else await Promise.all(old.map((one) => this.#retirement.retire(one)));
  }

  async #warmUp(
    deployment: Deployment,
    { calls = 1, stepIndex = 1, ...rest }: WarmUp,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { name, version } = deployment.entry;
    const request = { target: { name, version }, stepIndex, ...rest };
    const results = await Promise.all(
      deployment.pool.slots.map(async () => {
        const answers: InspectionResult[] = [];
        for (let call = 0; call < calls; call++)
          answers.push(await this.#callAt(deployment, request, { signal }));
        return answers;
      }),
    );
    const bad = results.flat().find(({ status }) => status === 'ERROR');
    if (!bad) return;
    throw new RunnerError(
      'start_failed',
      `${name} ${version} answered its warm-up call with ERROR: ${bad.message}. Nothing was switched`,
      { errorCode: bad.errorCode, details: { name, version, stage: 'warm-up', raw: bad } },
    );
  }

  async #follow(): Promise<void> {
    const active = await this.#registry.active();
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
        const held = await this.#table.obtain(entry, Math.max(1, deployment.pool.slots.length));
        for (const pid of pids) if (isSame(active[pid], entry)) held.deployment.servedPids.add(pid);
        held.letGo();
      }
      void this.#retirement.retire(deployment);
    }
  }

  async #earlier(mapping: ActiveMapping | undefined): Promise<{ name: string; version: string } | undefined> {
    for (const past of mapping?.history ?? []) {
      if (await this.#registry.get(past.name, past.version)) return past;
    }
    return undefined;
  }
}

interface Version {
  name: string;
  version: string;
}

function isSame(a: Version | undefined, b: Version): boolean {
  return a?.name === b.name && a.version === b.version;
}

function distinct(versions: readonly (Version | undefined)[]): Version[] {
  const known: Version[] = [];
  for (const one of versions) {
    if (one && !known.some((other) => isSame(other, one)))
      known.push({ name: one.name, version: one.version });
  }
  return known;
}
