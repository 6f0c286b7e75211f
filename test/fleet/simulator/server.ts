import { RunnerError } from '../../../src/errors.js';
import type { StoredValue } from '../../../src/fleet/ports.js';
import type { World } from './world.js';

/** The stream keeps one of the events of one id within this time. */
const DUPLICATES_MS = 120_000;
/** How often the server writes to its disk what it has acknowledged. */
const SYNC_MS = 120_000;

interface Kept {
  value: string;
  revision: number;
  endsAt?: number;
}

export interface StreamEvent {
  station: string;
  offset: number;
  id: string;
  body: string;
  at: number;
}

interface Watcher {
  matches: (key: string) => boolean;
  deliver: (stored: StoredValue | undefined) => void;
}

/** The server: a bucket with compare-and-set, a stream that drops duplicates, and a disk that lags behind what was acknowledged. */
export class SimServer {
  readonly #world: World;
  #bucket = new Map<string, Kept>();
  #revision = 0;
  stream: StreamEvent[] = [];
  #ids = new Map<string, number>();
  #last = new Map<string, number>();
  #synced = { bucket: new Map<string, Kept>(), revision: 0, events: 0 };
  readonly #watchers = new Set<Watcher>();
  isUp = true;

  constructor(world: World) {
    this.#world = world;
    this.#sync();
  }

  get(key: string): StoredValue | undefined {
    const kept = this.#bucket.get(key);
    if (!kept || (kept.endsAt !== undefined && kept.endsAt <= this.#world.now)) return undefined;
    return { key, value: JSON.parse(kept.value) as unknown, revision: kept.revision };
  }

  list(prefix: string): StoredValue[] {
    return [...this.#bucket.keys()].flatMap((key) => (key.startsWith(prefix) ? (this.get(key) ?? []) : []));
  }

  put(key: string, value: unknown, o: { revision?: number; ttlMs?: number } = {}): number {
    this.#expect(key, o.revision);
    const revision = ++this.#revision;
    this.#bucket.set(key, {
      ...{ value: JSON.stringify(value), revision },
      ...(o.ttlMs !== undefined && { endsAt: this.#world.now + o.ttlMs }),
    });
    this.#spread(key);
    return revision;
  }

  delete(key: string, o: { revision?: number } = {}): void {
    this.#expect(key, o.revision);
    this.#revision += 1;
    this.#bucket.delete(key);
    this.#spread(key);
  }

  publish(
    station: string,
    body: unknown,
    { id, after }: { id: string; after?: number },
  ): { isDuplicate: boolean } {
    const isDuplicate = this.#world.now - (this.#ids.get(id) ?? -Infinity) < DUPLICATES_MS;
    if (isDuplicate) return { isDuplicate };
    if (after !== undefined && (this.lastOffset(station) ?? 0) !== after) throw conflict(id);
    const offset = Number(id.slice(id.lastIndexOf('/') + 1));
    this.stream.push({ station, offset, id, body: JSON.stringify(body), at: this.#world.now });
    this.#ids.set(id, this.#world.now);
    this.#last.set(station, offset);
    return { isDuplicate: false };
  }

  lastOffset(station: string): number | undefined {
    return this.#last.get(station);
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    for (const key of this.#bucket.keys()) if (watcher.matches(key)) watcher.deliver(this.get(key));
    return () => this.#watchers.delete(watcher);
  }

  /** A power cut: what was acknowledged since the last write to the disk is lost. */
  cutPower(): void {
    const { bucket, revision, events } = this.#synced;
    this.#bucket = new Map(bucket);
    this.#revision = revision;
    this.stream = this.stream.slice(0, events);
    this.#ids = new Map(this.stream.map(({ id, at }) => [id, at]));
    this.#last = new Map(this.stream.map(({ station, offset }) => [station, offset]));
    this.#watchers.clear();
  }

  /** The bucket is deleted and made anew: revisions start again. */
  wipe(): void {
    this.#bucket.clear();
    this.#revision = 0;
  }

  #sync(): void {
    if (this.isUp) {
      this.#synced = {
        bucket: new Map(this.#bucket),
        revision: this.#revision,
        events: this.stream.length,
      };
    }
    this.#world.after(SYNC_MS, () => {
      this.#sync();
    });
  }

  #expect(key: string, revision: number | undefined): void {
    if (revision !== undefined && (this.get(key)?.revision ?? 0) !== revision) throw conflict(key);
  }

  #spread(key: string): void {
    for (const { matches, deliver } of this.#watchers) if (matches(key)) deliver(this.get(key));
  }
}

function conflict(path: string): RunnerError {
  return new RunnerError('conflict', `${path} was written by another one`, { details: { path } });
}
