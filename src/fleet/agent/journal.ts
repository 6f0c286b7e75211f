import type { AgentDiskPort, EventStreamPort } from '../ports.js';
import { fitted, type FleetEvent } from './events.js';
import type { Memory } from './memory.js';

/** Events that are read, and published, at a time. */
const BATCH = 64;
/**
 * Events that are kept after they were published: a server that lost its last acknowledged writes to a power cut gets them again.
 * Its default is to write to the disk every two minutes.
 */
const KEPT = 256;
/** Events that wait in memory for a disk that takes none. */
const MAX_WAITING = 1_000;

/** The station's own log of events, and its way into the stream: each event once, in its order, without a gap. */
export class Journal {
  readonly #station: string;
  readonly #disk: AgentDiskPort;
  readonly #memory: Memory;
  readonly #waiting: FleetEvent[] = [];
  #appending: Promise<void> | undefined;
  /** The last offset that the stream has; undefined until it was asked since the line stands. */
  #cursor: number | undefined;
  /** How often it was forgotten: what was asked for before the last time does not count. */
  #forgotten = 0;
  /** The first event of this process, and the last that it has tried to publish. */
  #first = Infinity;
  #tried = 0;

  constructor(station: string, disk: AgentDiskPort, memory: Memory) {
    this.#station = station;
    this.#disk = disk;
    this.#memory = memory;
  }

  /** Writes an event down; resolves once it is on the disk. Where the disk takes none, it waits for the next. */
  async note(event: FleetEvent): Promise<void> {
    this.#waiting.push(event);
    // The first may be on its way to the disk.
    if (this.#waiting.length > MAX_WAITING) this.#waiting.splice(1, 1);
    // One after the other: two calls have one order in the log.
    while (this.#waiting.includes(event)) {
      this.#appending ??= this.#appendNext();
      await this.#appending;
    }
  }

  async #appendNext(): Promise<void> {
    try {
      const [event] = this.#waiting;
      if (!event) return;
      const offset = await this.#disk.append(event);
      this.#waiting.shift();
      this.#first = Math.min(this.#first, offset);
      // The stream has an event of this offset already: see #find.
      if (this.#cursor !== undefined && offset <= this.#cursor) this.forgetCursor();
    } finally {
      this.#appending = undefined;
    }
  }

  /** What the stream has must be asked anew: the line, or the server, may be another. */
  forgetCursor(): void {
    this.#forgotten++;
    this.#cursor = undefined;
  }

  /**
   * Publishes what the stream does not have. The server's window for duplicates is of minutes: so it is asked for its last offset
   * first, and again after each failure, because a publication that failed may have been stored.
   */
  async publish(stream: EventStreamPort, signal: AbortSignal): Promise<void> {
    try {
      await this.#publish(stream, signal);
    } catch (error) {
      this.#cursor = undefined;
      throw error;
    }
  }

  async #publish(stream: EventStreamPort, signal: AbortSignal): Promise<void> {
    const forgotten = this.#forgotten;
    let cursor = this.#cursor ?? (await this.#find(stream, signal));
    if (forgotten !== this.#forgotten) return; // this is done again after it was forgotten
    this.#cursor = cursor;
    for (;;) {
      const events = await this.#disk.eventsAfter(cursor, BATCH);
      if (events.length === 0) return;
      for (const { offset, event } of events) {
        // The line changed while an event was on its way: what the stream has is asked again.
        if (this.#cursor !== cursor) return;
        const body = { ...fitted(event as FleetEvent), offset };
        const id = `${this.#station}/${offset}`;
        this.#tried = Math.max(this.#tried, offset);
        await stream.publish(this.#station, body, { signal, id, after: cursor });
        if (this.#cursor !== cursor) return;
        this.#cursor = cursor = offset;
      }
      await this.#memory.change({ published: cursor });
      await this.#disk.forget(cursor - KEPT);
    }
  }

  /** The offset from which to go on. */
  async #find(stream: EventStreamPort, signal: AbortSignal): Promise<number> {
    const last = (await stream.lastOffset(this.#station, { signal })) ?? 0;
    if (!this.#memory.record.joined) {
      // The disk is new, the station's name is not: the offsets of the new log go on after those of the old one.
      await this.#disk.renumber(last);
      await this.#memory.change({ joined: true, published: last });
    } else if (last >= this.#first && last > this.#tried) {
      // An earlier life of the station has published what this log has not: its disk was restored from a backup, or lost the end of the
      // log. What was there before this process is in the stream; what it wrote itself goes on after the last event there.
      await this.#disk.renumber(last, this.#first);
      [this.#first, this.#tried] = [last + 1, last];
      await this.#memory.change({ published: last });
    }
    return last;
  }
}
