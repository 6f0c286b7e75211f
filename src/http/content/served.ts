import type { ServedContent } from '../../fleet/bytes/served-content.js';
import { RunnerError } from '../../errors.js';
import type { Registry } from '../../registry/registry.js';

/** A plant has hundreds of stations, which may all ask at once. */
const MOST_TRANSFERS = 64;

/** What a handler gives to other stations. It is loaded at the first request for it. */
export class ContentDoor {
  readonly #registry: Registry;
  #served: Promise<ServedContent> | undefined;
  #transfers = 0;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async open(): Promise<ServedContent> {
    this.#served ??= import('../../fleet/bytes/served-content.js').then(
      ({ ServedContent: Served }) => new Served(this.#registry),
    );
    return this.#served;
  }

  /** Counts a transfer, from its first byte to its end. @throws RunnerError `queue_full` */
  async *transfer(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    this.#transfers++;
    try {
      yield* chunks;
    } finally {
      this.#transfers--;
    }
  }

  /** @throws RunnerError `queue_full` when as many transfers are under way as there may be */
  checkRoom(): void {
    if (this.#transfers < MOST_TRANSFERS) return;
    throw new RunnerError(
      'queue_full',
      `${MOST_TRANSFERS} transfers of content are under way: come again, or ask another source`,
    );
  }
}
