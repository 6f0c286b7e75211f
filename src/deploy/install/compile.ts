import type { VersionRef } from '../../package/types.js';
import { LinkedSignal } from '../../linked-signal.js';

/** How one version's environment is compiled. */
export type CompileVersion = (version: VersionRef, signal: AbortSignal) => Promise<void>;

/** A version to be compiled. */
interface Job {
  controller: AbortController;
  /** Once its turn has come. */
  running?: Promise<void>;
}

/**
 * Compiles environments in the background, one after the other, so that a station that inspects meanwhile notices
 * little of it. Whoever replaces or removes a version stops its compiling first.
 */
export class BackgroundCompiler {
  readonly #compile: CompileVersion;
  readonly #closing = new AbortController();
  readonly #wanted = new Map<string, Job>();
  #last: Promise<void> = Promise.resolve();

  /** `compile` tells its own failure: nobody waits for it here. */
  constructor(compile: CompileVersion) {
    this.#compile = compile;
  }

  /** Compiles the version when its turn comes. */
  start(version: VersionRef): void {
    const key = keyOf(version);
    const job: Job = { controller: new AbortController() };
    this.#wanted.set(key, job);
    this.#last = this.#last.then(async () => {
      // No `using`: its helper would be loaded with the library.
      const linked = new LinkedSignal(job.controller.signal, this.#closing.signal);
      if (!linked.signal.aborted) {
        job.running = this.#compile(version, linked.signal).catch(() => undefined);
        await job.running;
      }
      linked[Symbol.dispose]();
      if (this.#wanted.get(key) === job) this.#wanted.delete(key);
    });
  }

  /** Ends the compiling of a version, if it is under way or waits. Returns when nothing more is written to it. */
  async stop(version: VersionRef): Promise<void> {
    const job = this.#wanted.get(keyOf(version));
    job?.controller.abort();
    await job?.running; // not for the others in the line
  }

  /** Ends all of it. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#last;
  }
}

function keyOf({ name, version }: VersionRef): string {
  return JSON.stringify([name, version]);
}
