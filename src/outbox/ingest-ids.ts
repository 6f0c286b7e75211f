/** Most prefixes whose last time is remembered one by one. */
const REMEMBERED = 10_000;

/**
 * Ids of records. The time in an id makes it the only one, as long as it is later than that of every other id with the same
 * beginning. Where that is not known (the same millisecond, a clock that was put back, an id from before the last start), the
 * record's place in the log is added: no two records have the same.
 */
export class IngestIds {
  readonly #last = new Map<string, number>();
  /** No id whose beginning is not remembered has a later time. */
  #floor: number;

  constructor(lastTimestamp: number) {
    this.#floor = lastTimestamp;
  }

  /** The id of a record with this beginning (`<station>/<session>/<step>`), time and place. */
  make(beginning: string, timestampMs: number, index: number): string {
    const last = this.#last.get(beginning) ?? this.#floor;
    const id = `${beginning}/${timestampMs}`;
    if (timestampMs <= last) return `${id}-${index}`;
    this.#last.set(beginning, timestampMs);
    if (this.#last.size > REMEMBERED) this.#forget();
    return id;
  }

  #forget(): void {
    for (const [beginning, time] of this.#last) {
      this.#floor = Math.max(this.#floor, time);
      this.#last.delete(beginning);
      if (this.#last.size <= REMEMBERED / 2) return;
    }
  }
}
