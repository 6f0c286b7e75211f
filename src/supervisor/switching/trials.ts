import { RunnerError } from '../../errors.js';
import type { VersionRef } from '../../package/types.js';
import { bothNames } from '../../product-ids.js';
import { isSame } from '../../registry/mappings.js';
import type { Registry } from '../../registry/registry.js';
import type { Clock } from '../clock.js';
import type { Deployment, Emit } from '../deployments/deployment.js';
import { Probation, type ProbationPolicy, type TrialOutcome, type TrialVerdict } from './probation.js';
import type { SupervisorEvents } from '../events.js';
import type { Retirement } from './retirement.js';
import { distinct } from './version-refs.js';

/** A version on trial, and those that stand ready to come back. */
export interface Trial {
  deployment: Deployment;
  probation: Probation;
  pids: Set<string>;
  /** The versions before, and a function that releases each. */
  before: { deployment: Deployment; letGo: () => void }[];
  cancelTimer: () => void;
}

const CRASHES: ReadonlySet<string> = new Set([
  'worker_exited',
  'heartbeat_lost',
  'protocol_error',
  'start_failed',
]);

/** Holds versions to their trials and brings the ones before them back. */
export class Trials {
  readonly #registry: Registry;
  readonly #retirement: Retirement;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #trials = new Set<Trial>();
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
  ): Trial {
    const medians = before.map((old) => old.latency.percentile(0.5)).filter((ms) => ms !== undefined);
    const trial: Trial = {
      deployment,
      probation: new Probation(policy, medians.length > 0 ? Math.max(...medians) : undefined),
      pids: new Set(pids),
      before: before.map((old) => ({ deployment: old, letGo: old.keep() })),
      cancelTimer: this.#clock.after(policy.durationMs, () => {
        this.#judge(trial, trial.probation.timeIsUp());
      }),
    };
    this.#trials.add(trial);
    return trial;
  }

  /** One more version before, which was started after the trial had begun. A trial that is over needs it no more. */
  keep(trial: Trial, old: Deployment): void {
    if (this.#trials.has(trial)) trial.before.push({ deployment: old, letGo: old.keep() });
    else void this.#retirement.retire(old);
  }

  /** Ids were mapped anew by somebody: their trials are over without a verdict. */
  supersede(pids: readonly string[]): void {
    for (const trial of [...this.#trials]) {
      for (const pid of pids) trial.pids.delete(pid);
      if (trial.pids.size === 0) this.#end(trial);
    }
  }

  /** Another process, or somebody at the registry, has moved ids: as {@link Trials.supersede}. */
  follow(active: Readonly<Record<string, VersionRef>>): void {
    for (const trial of [...this.#trials]) {
      for (const pid of trial.pids) {
        const mapping = active[pid];
        if (!mapping || !isSame(mapping, trial.deployment.entry)) trial.pids.delete(pid);
      }
      if (trial.pids.size === 0) this.#end(trial);
    }
  }

  /** Every event of the supervisor passes here. */
  watch<Name extends keyof SupervisorEvents>(name: Name, ...[event]: SupervisorEvents[Name]): void {
    if (this.#trials.size === 0) return;
    for (const trial of [...this.#trials]) {
      const verdict = hear(trial, name, event);
      if (verdict) this.#judge(trial, verdict);
    }
  }

  /** Ends every trial without a verdict, and waits for ways back that are under way. */
  async close(): Promise<void> {
    for (const trial of [...this.#trials]) this.#forget(trial);
    await Promise.allSettled([...this.#waysBack]);
  }

  #judge(trial: Trial, verdict: TrialVerdict): void {
    if (verdict.state === 'running' || !this.#trials.has(trial)) return;
    const { name, version } = trial.deployment.entry;
    if (verdict.state !== 'failed') {
      this.#end(trial);
      const passed = { name, version, ...bothNames([...trial.pids]) };
      this.#emit('accepted', passed);
      this.#emit('probationPassed', passed);
      return;
    }
    this.#forget(trial, false); // heard no more; what was before is kept until it serves again
    const back = this.#goBack(trial, verdict.why).finally(() => {
      for (const { letGo } of trial.before) letGo();
      this.#waysBack.delete(back);
    });
    this.#waysBack.add(back);
  }

  /** Once. A way back that fails leaves the new version where it is, and is for people to look at. */
  async #goBack({ deployment, pids, before }: Trial, reason: string): Promise<void> {
    const { name, version } = deployment.entry;
    let left: string[] = [...pids];
    try {
      const from = { name, version };
      const mappings = await this.#registry.switchBack({
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
      this.#tellOfFailure({ name, version }, left, reason, cause);
    }
    void this.#retirement.retire(deployment);
  }

  /** The version before may have crashed itself during the trial: its circuit is closed by hand, once. */
  async #serveAgain(before: Trial['before'], mappings: readonly VersionRef[]): Promise<void> {
    const serving = before
      .filter((old) => !old.deployment.isEnding && mappings.some((to) => isSame(to, old.deployment.entry)))
      .map((old) => old.deployment.serving());
    await Promise.all(serving);
  }

  #tellOfFailure({ name, version }: VersionRef, pids: string[], reason: string, cause: unknown): void {
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

  #end(trial: Trial): void {
    this.#forget(trial);
    for (const { deployment } of trial.before) void this.#retirement.retire(deployment);
  }

  #forget(trial: Trial, letGo = true): void {
    this.#trials.delete(trial);
    trial.cancelTimer();
    if (letGo) for (const old of trial.before) old.letGo();
  }
}

/** What an event means for a trial, if anything. */
function hear<Name extends keyof SupervisorEvents>(
  { deployment, probation, pids }: Trial,
  name: Name,
  event: SupervisorEvents[Name][0],
): TrialVerdict | undefined {
  const about = event as { name?: string; version?: string };
  if (about.name !== deployment.entry.name || about.version !== deployment.entry.version) return undefined;
  if (name === 'circuitOpen') return probation.crashed(true);
  if (name === 'exit') {
    const { error } = event as SupervisorEvents['exit'][0];
    return error && CRASHES.has(error.code) ? probation.crashed() : undefined;
  }
  if (name === 'result') {
    const { productId, result } = event as SupervisorEvents['result'][0];
    if (productId === undefined || !pids.has(productId)) return undefined;
    return probation.called(result.status === 'OK' ? 'ok' : 'error', result.timing.totalMs);
  }
  if (name === 'callFailed') {
    const { productId, error } = event as SupervisorEvents['callFailed'][0];
    if (productId === undefined || !pids.has(productId)) return undefined;
    const outcome = outcomeOf(error);
    return outcome && probation.called(outcome, 0);
  }
  return undefined;
}

/** What a failed call says of the version; nothing when it speaks of the caller or of the load. */
function outcomeOf({ code }: RunnerError): TrialOutcome | undefined {
  if (code === 'timeout' || code === 'heartbeat_lost') return 'timeout';
  if (['worker_exited', 'protocol_error', 'contract_violation', 'start_failed'].includes(code))
    return 'error';
  return undefined;
}
