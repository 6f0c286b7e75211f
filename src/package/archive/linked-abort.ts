/**
 * A signal that fires with the first of several. (`AbortSignal.any` came with Node 20.3, and it keeps what it made
 * alive for as long as the sources live; this one is let go by `dispose`.)
 */
export class LinkedAbort {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  readonly #listener = (event: Event) => {
    this.#controller.abort((event.target as AbortSignal).reason);
  };

  constructor(...sources: (AbortSignal | undefined)[]) {
    this.#sources = sources.filter((source) => source !== undefined);
    for (const source of this.#sources) {
      if (source.aborted) this.#controller.abort(source.reason);
      else source.addEventListener('abort', this.#listener, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Fires by itself, for instance because one of several tasks failed. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  dispose(): void {
    for (const source of this.#sources) source.removeEventListener('abort', this.#listener);
  }
}
