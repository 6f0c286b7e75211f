import { RunnerError } from '../../errors.js';
import type { VersionRef } from '../../package/types.js';
import type { ParameterValues } from '../../parameters/types.js';
import { bothNames } from '../../product-ids.js';
import { isSame } from '../../registry/mappings.js';
import { activationLog } from '../../registry/records.js';
import type { Registry } from '../../registry/registry.js';
import { noteAudit } from '../../store/audit-log.js';
import type { Clock } from '../clock.js';
import type { DeploymentTable } from '../deployments/deployment-table.js';
import type { Deployment, Emit } from '../deployments/deployment.js';
import { Split, type SplitTable } from '../deployments/splits.js';
import type { SupervisorEvents } from '../events.js';
import type { CanaryStatus } from '../types.js';
import { hear } from './hear.js';
import { Probation, type CanaryVerdict } from './probation.js';
import type { Retirement } from './retirement.js';
import type { ShareSteps } from './share-options.js';
import { distinct } from './version-refs.js';

/** What a canary is begun with. */
export interface CanaryOrder extends ShareSteps {
  deployment: Deployment;
  /** The versions that are mapped, by product id. */
  bases: ReadonlyMap<string, VersionRef>;
  params: ParameterValues | undefined;
  force: boolean | undefined;
  operator: string | undefined;
  /** It has stood the last step: the product ids are to be mapped to it. */
  stood: (canary: CanaryShare) => void;
}

/** A version that has a share of the calls of product ids, on its way up. */
export interface CanaryShare {
  readonly order: CanaryOrder;
  readonly splits: Map<string, Split>;
  share: number;
  steps: number[];
  /** Of this step. */
  probation: Probation;
  beganAt: number;
  /** The time of this step is up, and calls are missing. */
  isOverdue: boolean;
  /** It has stood every step, and is about to be mapped. */
  hasStood: boolean;
  cancelTimer: () => void;
  release: () => void;
}

/**
 * Versions that get a share of the calls before they are mapped. Nothing of them is in the store but bars and lines in the audit
 * log: when this process dies, the mapped version serves, and all calls go to it.
 */
export class CanaryShares {
  readonly #registry: Registry;
  readonly #splits: SplitTable;
  readonly #table: DeploymentTable;
  readonly #retirement: Retirement;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #running = new Set<CanaryShare>();
  readonly #work = new Set<Promise<void>>();

  constructor(o: {
    registry: Registry;
    splits: SplitTable;
    table: DeploymentTable;
    retirement: Retirement;
    clock: Clock;
    emit: Emit;
  }) {
    this.#registry = o.registry;
    this.#splits = o.splits;
    this.#table = o.table;
    this.#retirement = o.retirement;
    this.#clock = o.clock;
    this.#emit = o.emit;
  }

  /** From the next call on the version has its share. A canary that an id had before ends. */
  begin(order: CanaryOrder): void {
    const { deployment, bases, params, share, steps, policy } = order;
    const splits = new Map<string, Split>();
    for (const [id, base] of bases) {
      splits.set(id, new Split({ deployment, base, params, share }, this.#splits.get(id)));
    }
    const release = deployment.keep();
    this.supersede([...bases.keys()]);
    for (const [id, split] of splits) this.#splits.set(id, split);
    const canary: CanaryShare = {
      ...{ order, splits, share, steps: [...steps], release },
      ...{
        probation: new Probation(policy),
        beganAt: 0,
        isOverdue: false,
        hasStood: false,
        cancelTimer: () => undefined,
      },
    };
    this.#running.add(canary);
    this.#step(canary, share);
  }

  /** Whether a product id has a canary. */
  has(productId: string): boolean {
    return this.#splits.get(productId) !== undefined;
  }

  /** Whether it goes on. */
  isRunning(canary: CanaryShare): boolean {
    return this.#running.has(canary);
  }

  /** Ends the canaries of product ids: all their calls go to the version that is mapped. */
  takeBack(productIds: readonly string[], reason: string): void {
    for (const canary of [...this.#running]) {
      const ended = productIds.filter((id) => canary.splits.has(id));
      if (ended.length === 0) continue;
      this.#tell(canary, 0, this.#remove(canary, ended), reason);
      if (canary.splits.size === 0) this.#end(canary, { sparePinned: true });
    }
  }

  /** An order has come for product ids. `mapped`: they are mapped to this deployment now, which is what its canary was for. */
  supersede(productIds: readonly string[], mapped?: Deployment): void {
    for (const canary of [...this.#running]) {
      if (canary.order.deployment !== mapped) continue;
      this.#remove(canary, productIds);
      if (canary.splits.size === 0) this.#forget(canary);
    }
    this.takeBack(productIds, 'a newer order came');
  }

  /** The registry was changed: a canary ends whose product id is mapped elsewhere, or to nothing, or that is deployed no more. */
  async follow(): Promise<void> {
    if (this.#running.size === 0) return;
    const active = await this.#registry.active();
    for (const canary of [...this.#running]) {
      const { name, version } = canary.order.deployment.entry;
      const ids = [...canary.splits.keys()];
      if (!(await this.#registry.listed(name, version)))
        this.takeBack(ids, `${name} ${version} was uninstalled`);
      const moved = ids.filter((id) => {
        const [mapping, base] = [active[id], canary.splits.get(id)?.base];
        return base && !(mapping && isSame(mapping, base));
      });
      this.takeBack(moved, 'the product id was mapped anew, or deactivated');
    }
  }

  /** Every event of the supervisor passes here. */
  watch<Name extends keyof SupervisorEvents>(name: Name, ...[event]: SupervisorEvents[Name]): void {
    if (this.#running.size === 0) return;
    for (const canary of [...this.#running]) {
      const { splits, probation, order } = canary;
      const { deployment } = order;
      const verdict = hear({ deployment, probation, pids: new Set(splits.keys()) }, name, event);
      if (verdict) this.#conclude(canary, verdict);
      else if (name === 'state' && deployment.isEnding) {
        this.takeBack([...splits.keys()], `${deployment.title} was stopped`);
      }
    }
  }

  /** The shares that a deployment has. */
  statusOf(deployment: Deployment): CanaryStatus[] {
    return [...this.#running]
      .filter(({ order }) => order.deployment === deployment)
      .map((canary) => ({
        productIds: [...canary.splits.keys()],
        share: canary.share,
        steps: [...canary.steps],
        from: basesOf(canary),
        ...canary.probation.counts,
        ageMs: this.#clock.now() - canary.beganAt,
      }));
  }

  /** Ends every canary without a verdict: the mapped versions serve. No event is raised. */
  close(): void {
    for (const canary of [...this.#running]) this.#forget(canary);
  }

  /** Resolves when no bar and no line of the log is being written. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#work]);
  }

  /** A step begins: its share, and a trial of its own. */
  #step(canary: CanaryShare, share: number): void {
    const { policy, deployment } = canary.order;
    canary.share = share;
    for (const split of canary.splits.values()) split.share = share;
    canary.probation = new Probation(policy, this.#usualMs(canary));
    canary.beganAt = this.#clock.now();
    canary.isOverdue = false;
    canary.cancelTimer = this.#clock.after(policy.durationMs, () => {
      canary.isOverdue = true;
      this.#conclude(canary, canary.probation.verdict);
    });
    this.#tell(canary, share, [...canary.splits.keys()]);
    if (deployment.isEnding) this.takeBack([...canary.splits.keys()], `${deployment.title} was stopped`);
  }

  /** A step whose time is up waits for the calls that a verdict needs: what nobody has seen work is not given more. */
  #conclude(canary: CanaryShare, given: CanaryVerdict): void {
    if (!this.#running.has(canary) || canary.hasStood) return;
    const { probation, isOverdue, steps, order } = canary;
    const verdict =
      given.state === 'running' && isOverdue && probation.hasEnough ? probation.timeIsUp() : given;
    if (verdict.state === 'running') return;
    canary.cancelTimer();
    if (verdict.state === 'failed') {
      this.#fail(canary, verdict.why);
      return;
    }
    const next = steps.shift();
    if (next !== undefined) {
      this.#step(canary, next);
      return;
    }
    canary.hasStood = true;
    order.stood(canary);
  }

  /** All calls go to the mapped versions from this moment on; the bar follows. */
  #fail(canary: CanaryShare, reason: string): void {
    const { deployment } = canary.order;
    const { name, version } = deployment.entry;
    const to = basesOf(canary);
    const productIds = this.#remove(canary, [...canary.splits.keys()]);
    this.#running.delete(canary);
    this.#tell(canary, 0, productIds, reason);
    const bar = async () => {
      try {
        const from = { name, version };
        await this.#registry.orders.bar({ productIds, from, reason, operator: 'probation' });
        this.#emit('switchedBack', { ...from, ...bothNames(productIds), to, reason });
      } catch (cause) {
        this.#reportFailure({ name, version }, productIds, reason, cause);
      } finally {
        this.#end(canary);
      }
    };
    this.#behind(bar());
  }

  #reportFailure({ name, version }: VersionRef, productIds: string[], reason: string, cause: unknown): void {
    if (RunnerError.is(cause, 'closed')) return; // no event during a close
    const error = new RunnerError(
      RunnerError.is(cause) ? cause.code : 'store_failed',
      `${name} ${version} failed as a canary (${reason}) and gets no more calls, but could not be barred: ` +
        `${(cause as Error).message}. Uninstall it, or take care that nobody switches to it`,
      { cause, details: { ...(RunnerError.is(cause) && cause.details), name, version, productIds, reason } },
    );
    this.#emit('error', { error, name, version });
  }

  /** Takes product ids from a canary: what of them it had. */
  #remove({ splits }: CanaryShare, productIds: readonly string[]): string[] {
    return productIds.filter((id) => {
      const split = splits.get(id);
      if (split) this.#splits.remove(id, split);
      return splits.delete(id);
    });
  }

  #end(canary: CanaryShare, o: { sparePinned?: boolean } = {}): void {
    this.#forget(canary);
    void this.#retirement.retire(canary.order.deployment, o);
  }

  #forget(canary: CanaryShare): void {
    this.#remove(canary, [...canary.splits.keys()]);
    this.#running.delete(canary);
    canary.cancelTimer();
    canary.release();
  }

  #usualMs(canary: CanaryShare): number | undefined {
    const medians = basesOf(canary)
      .map(({ name, version }) => this.#table.find(name, version)?.latency.percentile(0.5))
      .filter((ms) => ms !== undefined);
    return medians.length > 0 ? Math.max(...medians) : undefined;
  }

  /** An event, and a line in the audit log. */
  #tell(canary: CanaryShare, share: number, productIds: string[], reason?: string): void {
    const { deployment, operator, bases } = canary.order;
    const from = distinct(productIds.map((id) => bases.get(id)));
    const { name, version } = deployment.entry;
    const why = reason === undefined ? {} : { reason };
    this.#emit('canary', { name, version, productIds, from, share, ...why });
    const record = { operation: 'canary', name, version, pids: productIds, share, operator, ...why };
    this.#behind(noteAudit(activationLog(this.#registry.layout), record));
  }

  #behind(work: Promise<void>): void {
    const done = work.finally(() => this.#work.delete(done));
    this.#work.add(done);
  }
}

/** The mapped versions of the ids that a canary still has. */
function basesOf({ splits }: CanaryShare): VersionRef[] {
  return distinct([...splits.values()].map(({ base }) => base));
}
