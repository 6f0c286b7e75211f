import { RunnerError } from '../../errors.js';
import { deploymentOf } from '../../registry/same-deployment.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { FramePool } from '../../frames/frame-pool.js';
import { ForkServer } from '../../worker/fork-server.js';
import type { WorkerLimits, WorkerSpec } from '../../worker/types.js';
import type { Clock } from '../clock.js';

/** How often a server that nobody forks from any more is looked at. */
const LOOK_MS = 1_000;

/** What servers are kept by. */
export function serverKey(entry: RegistryEntry, spec: WorkerSpec): string {
  return JSON.stringify([entry.name, entry.version, deploymentOf(entry), spec]);
}

interface Kept {
  starting: Promise<ForkServer>;
  /** Ends its start. */
  aborter: AbortController;
  server?: ForkServer;
  cancelIdle?: () => void;
}

/**
 * The fork servers of a supervisor: one for each version and each set of what a worker of it is started with. A server
 * stays when its deployment stops, so that a rollback is warm too, and ends when no worker was forked from it for a while.
 */
export class ForkServers {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  /** By name and version. */
  readonly #places = new Map<string, string>();
  readonly #retired = new Set<Kept>();
  readonly #ending = new Set<Promise<void>>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The folder that workers of a version find their frames in: the same for each of its deployments, as a server shows its
   * workers the folder that it was started with.
   */
  async placeOf({ name, version }: RegistryEntry, frames: FramePool): Promise<string> {
    const key = JSON.stringify([name, version]);
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const place = await frames.place(`${name}-${version}`);
    this.#places.set(key, place);
    return place;
  }

  /** Of which versions there are servers. */
  all(): { key: string; name: string; version: string; deployment: string }[] {
    return [...this.#kept.keys()].map((key) => {
      const [name = '', version = '', deployment = ''] = JSON.parse(key) as string[];
      return { key, name, version, deployment };
    });
  }

  /** The one for these workers, if it stands. */
  find(key: string): ForkServer | undefined {
    const server = this.#kept.get(key)?.server;
    return server?.isGone === false ? server : undefined;
  }

  /** The one for these workers, started if needed. @throws RunnerError as {@link ForkServer.start} */
  async obtain(key: string, spec: WorkerSpec, limits: WorkerLimits, idleMs: number): Promise<ForkServer> {
    const known = this.#kept.get(key);
    if (known) return known.starting;
    const aborter = new AbortController();
    const kept: Kept = { starting: ForkServer.start(spec, limits, aborter.signal), aborter };
    this.#kept.set(key, kept);
    try {
      const server = await kept.starting;
      if (this.#kept.get(key) !== kept)
        throw new RunnerError(
          'closed',
          `The fork server of ${spec.name} ${spec.version} is not needed any more`,
        );
      kept.server = server;
      void server.exited.then(() => {
        if (this.#kept.get(key) === kept) this.#forget(key, kept);
      });
      this.#endWhenIdle(key, kept, idleMs);
      return server;
    } catch (error) {
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
      throw error;
    }
  }

  /** Ends the servers of which this is true, with the workers that they have forked. */
  drop(isToGo: (key: string) => boolean): void {
    for (const [key, kept] of this.#kept) {
      if (!isToGo(key)) continue;
      this.#forget(key, kept);
      this.#stop(kept);
    }
  }

  /** No worker is forked from it any more; it ends when those that were have ended. */
  retire(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept?.server) return;
    this.#forget(key, kept);
    this.#retired.add(kept);
    this.#stopWhenEmpty(kept);
  }

  /** Ends all of them; resolves when their processes are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.drop(() => true);
    for (const kept of this.#retired) this.#stop(kept);
    await Promise.all(this.#ending);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  #stopWhenEmpty(kept: Kept): void {
    kept.cancelIdle?.();
    if (kept.server?.isGone !== false) this.#retired.delete(kept);
    else if (kept.server.size === 0) this.#stop(kept);
    else
      kept.cancelIdle = this.#clock.after(LOOK_MS, () => {
        this.#stopWhenEmpty(kept);
      });
  }

  #stop(kept: Kept): void {
    kept.cancelIdle?.();
    this.#retired.delete(kept);
    kept.aborter.abort();
    const ended: Promise<void> = kept.starting
      .then((server) => server.stop())
      .catch(() => undefined)
      .finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  #forget(key: string, kept: Kept): void {
    kept.cancelIdle?.();
    this.#kept.delete(key);
  }

  /** Looked at again and again: a worker that has just ended may be followed by another. */
  #endWhenIdle(key: string, kept: Kept, idleMs: number): void {
    let isIdle = false;
    const look = () => {
      const wasIdle = isIdle;
      isIdle = kept.server?.size === 0;
      if (wasIdle && isIdle) this.drop((one) => one === key);
      else kept.cancelIdle = this.#clock.after(idleMs / 2, look);
    };
    kept.cancelIdle = this.#clock.after(idleMs / 2, look);
  }
}
