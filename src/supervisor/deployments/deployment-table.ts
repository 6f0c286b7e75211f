import { settleOrAbort, type OperationOptions } from '../../abort.js';
import { asFailure, RunnerError } from '../../errors.js';
import { Deployment, type DeploymentContext } from './deployment.js';
import { RestartPolicy } from '../pool/restart-policy.js';
import type { ParameterValues } from '../../parameters/types.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { Split } from './splits.js';
import type { VersionPolicies } from '../version-policies.js';
import { isSameDeployment } from '../../registry/same-deployment.js';

/** A deployment and what must be called when one no longer counts on it. */
export interface DeploymentLease {
  deployment: Deployment;
  release: () => void;
  /** Parameters that are kept for the product id with the version that it was mapped to in this look. */
  kept?: ParameterValues | undefined;
  /** The deployment has a share of the calls of the product id. `isFirst`: no earlier call of its session is there. */
  canary?: { split: Split; isFirst: boolean };
}

/** The versions that are started, each once. */
export class DeploymentTable {
  readonly #context: DeploymentContext;
  readonly #policies: VersionPolicies;
  readonly #deployments = new Map<string, Deployment>();
  /** Kept when a deployment ends: a version that cannot start must not be started again for every call. */
  readonly #restarts = new Map<string, RestartPolicy>();
  readonly #onStopped: (deployment: Deployment) => void;
  #isClosed = false;

  constructor(
    context: DeploymentContext,
    policies: VersionPolicies,
    onStopped: (deployment: Deployment) => void,
  ) {
    this.#context = context;
    this.#policies = policies;
    this.#onStopped = onStopped;
  }

  /** Starts nothing more: a deployment made during the close would outlive the supervisor. */
  close(): void {
    this.#isClosed = true;
  }

  /** @throws RunnerError `closed` */
  checkOpen(what: string): void {
    if (this.#isClosed) throw new RunnerError('closed', `The supervisor was closed before ${what}`);
  }

  all(): Deployment[] {
    return [...this.#deployments.values()];
  }

  /** The deployment of a version, unless it is not started or on its way out. */
  find(name: string, version: string): Deployment | undefined {
    const found = this.standing(name, version);
    return found?.isEnding ? undefined : found;
  }

  /** The deployment of a version. @throws RunnerError `not_initialized` where it is not started */
  started(name: string, version: string): Deployment {
    const found = this.find(name, version);
    if (found) return found;
    const message = `${name} ${version} is not started: start('${name}', '${version}', { workers }) does both`;
    throw new RunnerError('not_initialized', message, { details: { name, version } });
  }

  /** The deployment of a version, also one on its way out: its processes, and its mark of use, are still there. */
  standing(name: string, version: string): Deployment | undefined {
    return this.#deployments.get(keyOf({ name, version }));
  }

  /**
   * The deployment of a version, started if needed, retained from the moment this resolves. Waits for a deployment that is
   * ending; a deployment of what was deployed before under the same name is ended. `workers` overrides its policy. `again`: asked
   * after such a wait, in which the version may have been replaced, or the product id may have been moved.
   *
   * @throws RunnerError `closed`, `aborted`, and what `again` throws
   */
  async obtain(
    asked: RegistryEntry,
    workers?: number,
    signal?: AbortSignal,
    again?: () => Promise<RegistryEntry>,
  ): Promise<DeploymentLease> {
    for (let entry = asked; ;) {
      const key = keyOf(entry);
      this.checkOpen('call');
      const found = this.#deployments.get(key);
      if (found && (found.isEnding || !isSameDeployment(found.entry, entry))) {
        // Waited for, not hurried: calls may still run there.
        await settleOrAbort(
          signal,
          found.stop({ finishCalls: true, reason: 'its version was deployed anew' }),
        );
        if (again) entry = await again();
        continue;
      }
      const deployment = found ?? this.#create(key, entry, workers);
      return { deployment, release: deployment.retain() };
    }
  }

  /**
   * Starts a version by name; resolves when its workers are ready.
   *
   * @throws RunnerError `closed`, `aborted`, and what keeps the workers from being ready
   */
  async start(
    entry: RegistryEntry,
    { workers, signal }: { workers?: number } & OperationOptions,
  ): Promise<Deployment> {
    const { name, version } = entry;
    const before = this.find(name, version);
    if (!before) this.forgive(name, version);
    const { deployment, release } = await this.obtain(entry, workers, signal);
    try {
      await settleOrAbort(signal, before ? deployment.serving() : deployment.ready, () => {
        // Only a start that is nobody else's is taken back.
        if (!before && !deployment.isPinned) void deployment.stop({ reason: 'start aborted' });
      });
      deployment.isPinned = true;
      if (before && workers !== undefined) await settleOrAbort(signal, deployment.scale(workers));
    } finally {
      release();
    }
    if (deployment.isEnding) throw new RunnerError('closed', `${deployment.title} was stopped`);
    return deployment;
  }

  /** Closes the circuit of a version that is not started. */
  forgive(name: string, version: string): void {
    this.#restarts.get(keyOf({ name, version }))?.reset();
  }

  /** The policies in the store may have changed: each deployment goes by its own from now on. */
  followPolicies(): void {
    for (const deployment of this.all()) {
      if (deployment.isEnding) continue;
      try {
        deployment.followPolicy(() => this.#policies.of(deployment.entry));
      } catch (error) {
        const { name, version } = deployment.entry;
        this.#context.emit('error', { error: asFailure(error, 'follow a policy'), name, version });
      }
    }
  }

  #create(key: string, entry: RegistryEntry, workers?: number): Deployment {
    const { clock } = this.#context;
    const { policy, flavour } = this.#policies.of(entry);
    const restarts = this.#restarts.get(key) ?? new RestartPolicy(policy, () => clock.random());
    this.#restarts.set(key, restarts);
    const context = { ...this.#context, policy, flavour };
    const deployment = new Deployment(context, entry, restarts, workers ?? policy.workers, () => {
      if (this.#deployments.get(key) === deployment) this.#deployments.delete(key);
      this.#onStopped(deployment);
    });
    this.#deployments.set(key, deployment);
    return deployment;
  }
}

function keyOf({ name, version }: { name: string; version: string }): string {
  return `${name}\0${version}`; // neither has such a character
}
