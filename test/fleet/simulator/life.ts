import { listenForAbort } from '../../../src/abort.js';
import { RunnerError } from '../../../src/errors.js';
import type { World } from './world.js';

/** What was thrown, as an error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * One run of a process. When it ends, nothing that it waits for ever comes, and none of its timers runs: memory is lost, what reached
 * a disk or the server is not.
 */
export class Life {
  readonly world: World;
  isAlive = true;
  #calls = 0;
  /** The process dies in its call of this number: before what it asked for, or after it and before the answer. */
  #diesAt: number | undefined;
  readonly #onDeath: () => void;

  constructor(world: World, o: { diesAt?: number; onDeath: () => void }) {
    this.world = world;
    this.#diesAt = o.diesAt;
    this.#onDeath = o.onDeath;
  }

  /** It does not die by itself. */
  spare(): void {
    this.#diesAt = undefined;
  }

  end(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.#onDeath();
  }

  after(delayMs: number, run: () => void): () => void {
    return this.world.after(delayMs, () => {
      if (this.isAlive) run();
    });
  }

  /**
   * A call of a port: it acts after `beforeMs`, and is answered after `afterMs` more. It is a place to die at. With a signal, it is
   * answered at once when it fires; what was not done by then is not done.
   */
  call<T>(
    beforeMs: number,
    act: () => T | Promise<T>,
    o: { afterMs?: number; signal?: AbortSignal | undefined; isLostWithProcess?: boolean } = {},
  ): Promise<T> {
    const { afterMs = 0, signal, isLostWithProcess = true } = o;
    this.#calls += 1;
    const dies = this.#calls === this.#diesAt && this.isAlive;
    const diesBefore = dies && this.world.chance(0.5);
    return new Promise<T>((resolve, reject) => {
      if (!this.isAlive) return;
      let isOver = false;
      const giveNow = (give: () => void) => {
        signal?.removeEventListener('abort', onAbort);
        if (!this.isAlive || isOver) return;
        isOver = true;
        give();
      };
      const answer = (give: () => void) => {
        if (afterMs === 0) giveNow(give);
        else
          this.world.after(afterMs, () => {
            giveNow(give);
          });
      };
      const onAbort = () => {
        giveNow(() => {
          reject(new RunnerError('aborted', 'The call was aborted', { cause: signal?.reason }));
        });
      };
      if (signal?.aborted) {
        onAbort();
        return;
      }
      if (signal) listenForAbort(signal, onAbort);
      this.world.after(beforeMs, () => {
        if (diesBefore) this.end();
        if (isOver || (!this.isAlive && isLostWithProcess)) return;
        let done: T | Promise<T>;
        try {
          done = act();
        } catch (error) {
          answer(() => {
            reject(asError(error));
          });
          return;
        }
        if (dies) this.end();
        Promise.resolve(done).then(
          (value) => {
            answer(() => {
              resolve(value);
            });
          },
          (error: unknown) => {
            answer(() => {
              reject(asError(error));
            });
          },
        );
      });
    });
  }
}
