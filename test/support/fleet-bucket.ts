import { setImmediate as nextTurn } from 'node:timers/promises';
import { RunnerError } from '../../src/errors.js';
import type { FleetConnection, KeyValuePort, StoredEvent, StoredValue } from '../../src/fleet/ports.js';
import { generateSigningKeys } from '../../src/package/integrity.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';

interface Kept extends StoredValue {
  until: number;
}

/** What happens at a call of a connection; what it throws, the caller gets. `after`: the server has done it already. */
export type Fault = (call: { op: string; key: string; when: 'before' | 'after' }) => void | Promise<void>;

interface Watcher {
  key: string;
  tell: (stored: StoredValue | undefined) => void;
  end: (reason: string) => void;
}

/** A bucket and a stream in memory, on virtual time, with the compare-and-set and the times to live of the real ones. */
export class BucketInMemory {
  readonly clock = new VirtualClock();
  readonly events: StoredEvent[] = [];
  /** Every write that was stored: key, value and time. */
  readonly writes: { key: string; value: unknown; at: number; by: string }[] = [];
  #kept = new Map<string, Kept>();
  #watchers = new Set<Watcher>();
  #connected = new Set<() => void>();
  #revision = 0;

  /** A line to it. @param fault - is asked at each call */
  connect(by = 'test', fault: Fault = () => undefined): FleetConnection {
    const call = async <T>(op: string, key: string, run: () => T): Promise<T> => {
      await fault({ op, key, when: 'before' });
      await nextTurn();
      const answer = run();
      await fault({ op, key, when: 'after' });
      return answer;
    };
    const values: KeyValuePort = {
      get: (key) => call('get', key, () => this.read(key)),
      put: (key, value, { revision, ttlMs } = {}) =>
        call('put', key, () => this.#put({ key, value, by, revision, ttlMs })),
      delete: (key, { revision } = {}) => call('delete', key, () => this.#delete(key, revision)),
      list: (prefix) => call('list', prefix, () => this.all(prefix)),
      watch: (key, { onChange, onEnd }) => {
        const watcher = { key, tell: onChange, end: onEnd };
        this.#watchers.add(watcher);
        setImmediate(() => {
          for (const stored of this.all('').filter((one) => matches(key, one.key)))
            if (this.#watchers.has(watcher)) onChange(stored);
        });
        return () => this.#watchers.delete(watcher);
      },
    };
    return {
      values,
      events: {
        publish: (station, body, { id }) =>
          call('publish', station, () => {
            const isDuplicate = this.events.some((event) => event.subject === id);
            if (!isDuplicate)
              this.events.push({ sequence: this.events.length + 1, subject: id, body, storedAt: '' });
            return { isDuplicate };
          }),
        lastOffset: () => Promise.resolve(undefined),
        read: () => Promise.resolve(this.events),
      },
      isConnected: true,
      onConnect: (listener) => {
        this.#connected.add(listener);
        return () => this.#connected.delete(listener);
      },
      close: () => Promise.resolve(),
    };
  }

  read(key: string): StoredValue | undefined {
    this.#expire();
    const kept = this.#kept.get(key);
    return kept && { key, value: structuredClone(kept.value), revision: kept.revision };
  }

  all(prefix: string): StoredValue[] {
    this.#expire();
    return [...this.#kept.keys()]
      .filter((key) => key.startsWith(prefix))
      .flatMap((key) => this.read(key) ?? []);
  }

  /** All is gone, as after a disk was replaced. */
  wipe(): void {
    this.#kept.clear();
    this.#revision = 0;
    for (const watcher of this.#watchers) watcher.tell(undefined);
  }

  /**
   * As it is now; the answer brings that back, as a server does that lost its power: what was written since was acknowledged, and is
   * lost, and every line is cut.
   */
  snapshot(): () => void {
    const kept = structuredClone([...this.#kept]);
    const revision = this.#revision;
    return () => {
      this.#kept = new Map(kept);
      this.#revision = revision;
      for (const connected of [...this.#connected]) connected();
    };
  }

  /** Ends every watch. */
  endWatches(): void {
    for (const watcher of [...this.#watchers]) {
      this.#watchers.delete(watcher);
      watcher.end('cut');
    }
  }

  /** Loses every watch without a word. */
  loseWatches(): void {
    this.#watchers.clear();
  }

  /** Lets time pass, and everything that follows from it. */
  async pass(ms: number, stepMs = 25): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed));
      for (let turn = 0; turn < 12; turn++) await nextTurn();
    }
  }

  /** Lets time pass until something holds. */
  async until(holds: () => boolean, mostMs = 120_000, stepMs = 25): Promise<void> {
    for (let passed = 0; !holds(); passed += stepMs) {
      if (passed > mostMs) throw new Error(`It does not hold after ${mostMs} ms: ${holds.toString()}`);
      await this.pass(stepMs, stepMs);
    }
  }

  #put(o: {
    key: string;
    value: unknown;
    by: string;
    revision?: number | undefined;
    ttlMs?: number | undefined;
  }): number {
    this.#check(o.key, o.revision);
    const value = structuredClone(o.value);
    const until = o.ttlMs === undefined ? Infinity : this.clock.now() + o.ttlMs;
    const kept = { key: o.key, value, revision: ++this.#revision, until };
    this.#kept.set(o.key, kept);
    this.writes.push({ key: o.key, value, at: this.clock.now(), by: o.by });
    this.#tell(o.key);
    return kept.revision;
  }

  #delete(key: string, revision?: number): void {
    this.#check(key, revision);
    this.#kept.delete(key);
    this.#tell(key);
  }

  #check(key: string, revision: number | undefined): void {
    if (revision === undefined || (this.read(key)?.revision ?? 0) === revision) return;
    throw new RunnerError('conflict', `${key} was written by another`, { details: { path: key } });
  }

  #expire(): void {
    for (const [key, { until }] of this.#kept) {
      if (until > this.clock.now()) continue;
      this.#kept.delete(key);
      this.#tell(key);
    }
  }

  #tell(key: string): void {
    const stored = this.#kept.get(key) && this.read(key);
    for (const watcher of this.#watchers) {
      if (matches(watcher.key, key)) setImmediate(() => this.#watchers.has(watcher) && watcher.tell(stored));
    }
  }
}

function matches(watched: string, key: string): boolean {
  return watched.endsWith('>') ? key.startsWith(watched.slice(0, -1)) : watched === key;
}

/** Keys of a fleet: a test makes them once. */
export const FLEET_KEYS = generateSigningKeys();
