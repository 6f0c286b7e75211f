import { listenForAbort } from './abort.js';

/**
 * One signal for one operation, which fires with the first of `sources`. Disposing removes its listeners. Not
 * `AbortSignal.any`, which Node 20.0 to 20.2 lack.
 */
export class LinkedSignal implements Disposable {
  readonly #controller = new AbortController();
  readonly #sources: AbortSignal[];
  readonly #onAbort: (event: Event) => void;

  constructor(...sources: (AbortSignal | undefined)[]) {
    this.#sources = sources.filter((source) => source !== undefined);
    this.#onAbort = (event) => {
      this.#controller.abort((event.target as AbortSignal).reason);
    };
    for (const source of this.#sources) {
      if (source.aborted) this.#controller.abort(source.reason);
      else listenForAbort(source, this.#onAbort);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Fires by itself, for instance because one of several tasks failed. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  [Symbol.dispose](): void {
    for (const source of this.#sources) source.removeEventListener('abort', this.#onAbort);
  }
}
