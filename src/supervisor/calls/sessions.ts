import type { Deployment } from '../deployments/deployment.js';
import type { Lease } from '../pool/worker-pool.js';

/** Sessions that are remembered; the ones used longest ago are forgotten first. */
const MOST_SESSIONS = 10_000;

/**
 * Which worker a session was last at, by deployment. Algorithms keep what belongs to a session in their process, so
 * the next call of a session goes to the same place: when that is free, and under the bundled worker, which keeps the
 * session's values, as long as its process lives. A reset goes wherever the session has been.
 */
export class SessionTable {
  readonly #sessions = new Map<string, Map<Deployment, Map<number, Lease>>>();
  readonly #most: number;

  constructor(most = MOST_SESSIONS) {
    this.#most = most;
  }

  /** The call went to this worker. */
  touch(id: string, deployment: Deployment, lease: Lease): void {
    const places = this.#sessions.get(id) ?? new Map<Deployment, Map<number, Lease>>();
    this.#sessions.delete(id);
    this.#sessions.set(id, places);
    const workers = places.get(deployment) ?? new Map<number, Lease>();
    workers.delete(lease.slot.index); // to be the last in order
    workers.set(lease.slot.index, lease);
    places.set(deployment, workers);
    if (this.#sessions.size <= this.#most) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }

  /** The place the session was last at, and the worker that stood there. */
  lastAt(id: string, deployment: Deployment): Lease | undefined {
    return [...(this.#sessions.get(id)?.get(deployment)?.values() ?? [])].at(-1);
  }

  /** Whether the session had a call at any worker of a deployment. */
  hasBeenAt(id: string, deployment: Deployment): boolean {
    return this.#sessions.get(id)?.has(deployment) === true;
  }

  /** Every place the session has been, and forgets it. */
  take(id: string): { deployment: Deployment; worker: number }[] {
    const places = this.#sessions.get(id);
    this.#sessions.delete(id);
    return [...(places ?? [])].flatMap(([deployment, workers]) =>
      [...workers.keys()].map((worker) => ({ deployment, worker })),
    );
  }

  /** A deployment is gone. */
  forget(deployment: Deployment): void {
    for (const [id, places] of this.#sessions) {
      if (places.delete(deployment) && places.size === 0) this.#sessions.delete(id);
    }
  }
}
