import { RunnerError } from '../../errors.js';
import type { VersionRef } from '../../package/types.js';
import { bothNames } from '../../product-ids.js';
import { isSame } from '../../registry/mappings.js';
import type { Registry } from '../../registry/registry.js';
import type { Clock } from '../clock.js';
import type { Deployment, Emit } from '../deployments/deployment.js';
import { hear } from './hear.js';
import { Probation, type ProbationPolicy, type CanaryVerdict } from './probation.js';
import type { SupervisorEvents } from '../events.js';
import type { SupervisedStatus } from '../types.js';
import type { Retirement } from './retirement.js';
import { distinct } from './version-refs.js';

/** A version on trial, and those that stand ready to come back. */
export interface Canary {
  deployment: Deployment;
  probation: Probation;
  pids: Set<string>;
  /** The versions before, and a function that releases each. */
  before: { deployment: Deployment; release: () => void }[];
  cancelTimer: () => void;
}

/** Watches the versions on trial, and switches back from a version that fails. */
export class Canaries {
  readonly #registry: Registry;
  readonly #retirement: Retirement;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #running = new Set<Canary>();
  readonly #waysBack = new Set<Promise<void>>();

  constructor(o: { registry: Registry; retirement: Retirement; clock: Clock; emit: Emit }) {
    this.#registry = o.registry;
    this.#retirement = o.retirement;
    this.#clock = o.clock;
    this.#emit = o.emit;
  }

  /** The versions before are kept ready until the trial ends. `pids` are those that they served. */
  begin(
    deployment: Deployment,
    before: readonly Deployment[],
    pids: readonly string[],
    policy: ProbationPolicy,
  ): Canary {
    const medians = before.map((old) => old.latency.percentile(0.5)).filter((ms) => ms !== undefined);
    const canary: Canary = {
      deployment,
      probation: new Probation(policy, medians.length > 0 ? Math.max(...medians) : undefined),
      pids: new Set(pids),
      before: before.map((old) => ({ deployment: old, release: old.keep() })),
      cancelTimer: this.#clock.after(policy.durationMs, () => {
        this.#conclude(canary, canary.probation.timeIsUp());
      }),
    };
    this.#running.add(canary);
    return canary;
  }

  /** One more version before, which was started after the trial had begun. A trial that is over needs it no more. */
  keep(canary: Canary, old: Deployment): void {
    if (this.#running.has(canary)) canary.before.push({ deployment: old, release: old.keep() });
    else void this.#retirement.retire(old);
  }

  /** Ids were mapped anew by somebody: their trials are over without a verdict. */
  supersede(pids: readonly string[]): void {
    for (const canary of [...this.#running]) {
      for (const pid of pids) canary.pids.delete(pid);
      if (canary.pids.size === 0) this.#end(canary);
    }
  }

  /** Another process, or somebody at the registry, has moved ids: as {@link Canaries.supersede}. */
  follow(active: Readonly<Record<string, VersionRef>>): void {
    for (const canary of [...this.#running]) {
      for (const pid of canary.pids) {
        const mapping = active[pid];
        if (!mapping || !isSame(mapping, canary.deployment.entry)) canary.pids.delete(pid);
      }
      if (canary.pids.size === 0) this.#end(canary);
    }
  }

  /** The trial that a deployment is on. */
  trialOf(deployment: Deployment): SupervisedStatus['trial'] {
    const trials = [...this.#running].filter((canary) => canary.deployment === deployment);
    if (trials.length === 0) return undefined;
    const before = trials.flatMap((canary) => canary.before.map((old) => old.deployment.entry));
    return { productIds: trials.flatMap(({ pids }) => [...pids]), from: distinct(before) };
  }

  /** Every event of the supervisor passes here. */
  watch<Name extends keyof SupervisorEvents>(name: Name, ...[event]: SupervisorEvents[Name]): void {
    if (this.#running.size === 0) return;
    for (const canary of [...this.#running]) {
      const verdict = hear(canary, name, event);
      if (verdict) this.#conclude(canary, verdict);
    }
  }

  /** Ends every trial without a verdict, and waits for ways back that are under way. */
  async close(): Promise<void> {
    for (const canary of [...this.#running]) this.#forget(canary);
    await Promise.allSettled([...this.#waysBack]);
  }

  #conclude(canary: Canary, verdict: CanaryVerdict): void {
    if (verdict.state === 'running' || !this.#running.has(canary)) return;
    const { name, version } = canary.deployment.entry;
    if (verdict.state !== 'failed') {
      this.#end(canary);
      const passed = { name, version, ...bothNames([...canary.pids]) };
      this.#emit('accepted', passed);
      this.#emit('probationPassed', passed);
      return;
    }
    this.#forget(canary, false); // heard no more; what was before is kept until it serves again
    const back = this.#goBack(canary, verdict.why).finally(() => {
      for (const { release } of canary.before) release();
      this.#waysBack.delete(back);
    });
    this.#waysBack.add(back);
  }

  /** Once. A way back that fails leaves the new version where it is, and is for people to look at. */
  async #goBack({ deployment, pids, before }: Canary, reason: string): Promise<void> {
    const { name, version } = deployment.entry;
    let left: string[] = [...pids];
    try {
      const from = { name, version };
      const mappings = await this.#registry.orders.switchBack({
        productIds: left,
        from,
        reason,
        operator: 'probation',
      });
      for (const { pid, ...to } of mappings) {
        before.find((old) => isSame(old.deployment.entry, to))?.deployment.servedPids.add(pid);
      }
      const back = mappings.map(({ pid }) => pid);
      left = left.filter((pid) => !back.includes(pid));
      // None: they had been moved on in the meantime, and nothing has changed.
      if (back.length > 0) {
        this.#emit('switchedBack', { name, version, ...bothNames(back), to: distinct(mappings), reason });
        await this.#serveAgain(before, mappings);
      }
      const active = left.length > 0 ? await this.#registry.active() : {};
      left = left.filter((pid) => active[pid] && isSame(active[pid], from));
      if (left.length > 0) throw new Error(`no earlier version of ${left.join(', ')} is kept`);
    } catch (cause) {
      this.#reportFailure({ name, version }, left, reason, cause);
    }
    void this.#retirement.retire(deployment);
  }

  /** The version before may have crashed itself during the trial: its circuit is closed by hand, once. */
  async #serveAgain(before: Canary['before'], mappings: readonly VersionRef[]): Promise<void> {
    const serving = before
      .filter((old) => !old.deployment.isEnding && mappings.some((to) => isSame(to, old.deployment.entry)))
      .map((old) => old.deployment.serving());
    await Promise.all(serving);
  }

  #reportFailure({ name, version }: VersionRef, pids: string[], reason: string, cause: unknown): void {
    if (RunnerError.is(cause, 'closed')) return; // no event during a close
    const error = new RunnerError(
      RunnerError.is(cause) ? cause.code : 'not_found',
      `${name} ${version} failed its trial (${reason}), and the way back failed too: ${(cause as Error).message}. ` +
        'It is not tried again: switch by hand',
      {
        cause,
        details: { ...(RunnerError.is(cause) && cause.details), name, version, productIds: pids, reason },
      },
    );
    this.#emit('error', { error, name, version });
  }

  #end(canary: Canary): void {
    this.#forget(canary);
    for (const { deployment } of canary.before) void this.#retirement.retire(deployment);
  }

  #forget(canary: Canary, release = true): void {
    this.#running.delete(canary);
    canary.cancelTimer();
    if (release) for (const old of canary.before) old.release();
  }
}
