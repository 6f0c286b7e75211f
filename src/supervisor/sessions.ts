import type { Deployment } from './deployment.js';

/** Sessions that are remembered; the ones used longest ago are forgotten first. */
const MOST_SESSIONS = 10_000;

/**
 * Which worker a session was last at, by deployment. Algorithms keep what belongs to a session in their process, so
 * the next call of a session goes to the same place when that is free, and a reset goes wherever it has been.
 */
export class SessionTable {
  readonly #sessions = new Map<string, Map<Deployment, Set<number>>>();
  readonly #most: number;

  constructor(most = MOST_SESSIONS) {
    this.#most = most;
  }

  /** The call went to this place. */
  touch(id: string, deployment: Deployment, worker: number): void {
    const places = this.#sessions.get(id) ?? new Map<Deployment, Set<number>>();
    this.#sessions.delete(id);
    this.#sessions.set(id, places);
    const workers = places.get(deployment) ?? new Set<number>();
    workers.delete(worker);
    workers.add(worker);
    places.set(deployment, workers);
    if (this.#sessions.size <= this.#most) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }

  /** The place the session was last at. */
  lastAt(id: string, deployment: Deployment): number | undefined {
    return [...(this.#sessions.get(id)?.get(deployment) ?? [])].at(-1);
  }

  /** Every place the session has been, and forgets it. */
  take(id: string): { deployment: Deployment; worker: number }[] {
    const places = this.#sessions.get(id);
    this.#sessions.delete(id);
    return [...(places ?? [])].flatMap(([deployment, workers]) =>
      [...workers].map((worker) => ({ deployment, worker })),
    );
  }

  /** A deployment is gone. */
  forget(deployment: Deployment): void {
    for (const [id, places] of this.#sessions) {
      if (places.delete(deployment) && places.size === 0) this.#sessions.delete(id);
    }
  }
}
