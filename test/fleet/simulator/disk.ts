import { RunnerError } from '../../../src/errors.js';
import type { AgentDiskPort, AgentRecord } from '../../../src/fleet/ports.js';
import type { Life } from './life.js';
import type { World } from './world.js';

/** An event that the disk made durable. */
export interface LoggedEvent {
  offset: number;
  event: unknown;
}

/** What the agent of one station keeps. A call that was answered is durable; a call that was not may be. */
export class SimDisk {
  readonly #world: World;
  #record: string | undefined;
  log: LoggedEvent[] = [];
  #lastOffset = 0;
  #forgotten = 0;
  /** Takes nothing more. */
  isFull = false;
  /** Looked at by the invariants. */
  highestRevision = 0;
  /** Whether it replaced another disk. */
  readonly isNew: boolean;

  constructor(world: World, isNew = false) {
    this.#world = world;
    this.isNew = isNew;
  }

  get record(): AgentRecord {
    return this.#record === undefined
      ? { revision: 0, quarantined: {}, installed: [], seq: 0, joined: false, published: 0 }
      : (JSON.parse(this.#record) as AgentRecord);
  }

  port(life: Life): AgentDiskPort {
    const slow = () => this.#world.between(1, 30);
    const write = <T>(act: () => T) =>
      life.call(
        slow(),
        () => {
          if (this.isFull) throw new RunnerError('store_failed', 'ENOSPC: no space left on device');
          return act();
        },
        { afterMs: slow() },
      );
    return {
      read: () => life.call(slow(), () => this.record),
      write: (record) => {
        const text = JSON.stringify(record);
        return write(() => {
          if (record.revision < this.highestRevision)
            throw new Error(`the revision fell from ${this.highestRevision} to ${record.revision}`);
          this.highestRevision = record.revision;
          this.#record = text;
        });
      },
      append: (event) => {
        const text = JSON.stringify(event);
        return write(() => {
          this.#lastOffset += 1;
          this.log.push({ offset: this.#lastOffset, event: JSON.parse(text) as unknown });
          return this.#lastOffset;
        });
      },
      eventsAfter: (offset, limit) =>
        life.call(slow(), () =>
          this.log.filter((one) => one.offset > Math.max(offset, this.#forgotten)).slice(0, limit),
        ),
      // The log keeps what is forgotten, for the invariants.
      forget: (offset) =>
        write(() => {
          this.#forgotten = Math.max(this.#forgotten, offset);
        }),
      renumber: (offset, from = 0) =>
        write(() => {
          if ((this.log[0]?.offset ?? Infinity) <= offset)
            this.log = this.log.filter((one) => one.offset >= from);
          const [first] = this.log;
          const by = first === undefined ? 0 : offset + 1 - first.offset;
          if (first !== undefined && by <= 0) return;
          this.log = this.log.map((one) => ({ ...one, offset: one.offset + by }));
          this.#lastOffset = this.log.at(-1)?.offset ?? Math.max(offset, this.#lastOffset);
        }),
    };
  }
}
