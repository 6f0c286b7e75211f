import type { FramePool } from '../frames/frame-pool.js';
import type { VersionRef } from '../package/types.js';
import type { Registry } from '../registry/registry.js';
import type { WorkerFlavour } from '../worker/types.js';
import { checkReadable } from './frames-readable.js';
import { resolvePolicy, supervisorPart, type SupervisorPolicy } from './policy.js';
import type { VersionPolicy } from './policy-options.js';

/** What one version runs by. The same object for as long as the supervisor lives: a change of the policy changes it. */
export interface LivePolicy {
  /** Defaults filled in. */
  readonly policy: SupervisorPolicy;
  /** Adapter that runs it. */
  flavour: WorkerFlavour;
  /** What the operator set for this version, as JSON; empty where nothing was set. */
  kept: string;
}

/** Options that are objects of options: what is set for a version is laid over what the supervisor was given, field by field. */
const LAYERED = ['env', 'limits', 'resources'] as const;

/**
 * The policies of versions: what the supervisor was given, and over it what an operator keeps in the store for the
 * version. A change, also by another process, is in force at once; what is set up when a process starts (limits,
 * resources, environment, user, network, adapter) at the next start of the version.
 */
export class VersionPolicies {
  readonly #registry: Registry;
  readonly #frames: FramePool;
  readonly #given: Partial<SupervisorPolicy>;
  readonly #flavour: WorkerFlavour;
  readonly #live = new Map<string, LivePolicy>();

  constructor(o: {
    registry: Registry;
    frames: FramePool;
    given: Partial<SupervisorPolicy>;
    flavour: WorkerFlavour;
  }) {
    this.#registry = o.registry;
    this.#frames = o.frames;
    this.#given = o.given;
    this.#flavour = o.flavour;
  }

  /** @throws RunnerError `invalid_params` for a policy in the store that cannot be */
  of(version: VersionRef): LivePolicy {
    const key = JSON.stringify([version.name, version.version]);
    const found = this.#live.get(key) ?? { policy: this.resolve({}), flavour: this.#flavour, kept: '{}' };
    this.#live.set(key, found);
    const set = (this.#registry.policyOf(version.name, version.version) ?? {}) as VersionPolicy;
    const kept = JSON.stringify(set);
    if (kept === found.kept) return found;
    // Assigned, not replaced: pools and restart policies hold the object.
    Object.assign(found.policy, this.resolve(set));
    found.flavour = set.worker ?? this.#flavour;
    found.kept = kept;
    return found;
  }

  /** What a version would run by. @throws RunnerError `invalid_params` */
  resolve(kept: VersionPolicy): SupervisorPolicy {
    const set = supervisorPart(kept);
    const over: Partial<SupervisorPolicy> = { ...this.#given, ...set };
    for (const option of LAYERED) {
      const layers = { ...this.#given[option], ...set[option] };
      if (Object.keys(layers).length > 0) Object.assign(over, { [option]: layers });
    }
    const policy = resolvePolicy(over);
    checkReadable(this.#frames, policy.gid);
    return { ...policy };
  }
}
