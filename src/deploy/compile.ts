import type { VersionRef } from '../package/types.js';
import { LinkedSignal } from './linked-signal.js';

/** How one version's environment is compiled. */
export type CompileVersion = (version: VersionRef, signal: AbortSignal) => Promise<void>;

/**
 * Compiles environments in the background, one after the other, so that a station that inspects meanwhile notices
 * little of it. Whoever replaces or removes a version stops its compiling first.
 */
export class BackgroundCompiler {
  readonly #compile: CompileVersion;
  readonly #closing = new AbortController();
  readonly #wanted = new Map<string, AbortController>();
  #last: Promise<void> = Promise.resolve();

  /** `compile` tells its own failure: nobody waits for it here. */
  constructor(compile: CompileVersion) {
    this.#compile = compile;
  }

  /** Compiles the version when its turn comes. */
  start(version: VersionRef): void {
    const controller = new AbortController();
    this.#wanted.set(keyOf(version), controller);
    this.#last = this.#last.then(async () => {
      using linked = new LinkedSignal(controller.signal, this.#closing.signal);
      if (!linked.signal.aborted) await this.#compile(version, linked.signal).catch(() => undefined);
      if (this.#wanted.get(keyOf(version)) === controller) this.#wanted.delete(keyOf(version));
    });
  }

  /** Ends the compiling of a version, if it is under way or waits. Returns when nothing more is written. */
  async stop(version: VersionRef): Promise<void> {
    const controller = this.#wanted.get(keyOf(version));
    if (!controller) return;
    controller.abort();
    await this.#last;
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
