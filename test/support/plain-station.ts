import type { AgentDiskPort, AgentRecord, PackageBytesPort, StationPort } from '../../src/fleet/index.js';

/** One blob store of all stations: every package is there. */
export const sharedBytes: PackageBytesPort = {
  fetch: () =>
    Promise.resolve({ zip: '', fetchedBytes: 0, reusedBytes: 1, release: () => Promise.resolve() }),
};

/** Stands in for a disk: what an agent must not forget, and its log, in memory. */
export class PlainDisk implements AgentDiskPort {
  readonly log: { offset: number; event: unknown }[] = [];
  #kept = 0;
  #record: AgentRecord = {
    revision: 0,
    quarantined: {},
    installed: [],
    seq: 0,
    joined: false,
    published: 0,
  };

  read(): Promise<AgentRecord> {
    return Promise.resolve(structuredClone(this.#record));
  }

  write(record: AgentRecord): Promise<void> {
    this.#record = structuredClone(record);
    return Promise.resolve();
  }

  append(event: unknown): Promise<number> {
    const offset = (this.log.at(-1)?.offset ?? 0) + 1;
    this.log.push({ offset, event: structuredClone(event) });
    return Promise.resolve(offset);
  }

  eventsAfter(offset: number, limit: number): Promise<{ offset: number; event: unknown }[]> {
    const least = Math.max(offset, this.#kept);
    return Promise.resolve(this.log.filter((one) => one.offset > least).slice(0, limit));
  }

  forget(offset: number): Promise<void> {
    this.#kept = Math.max(this.#kept, offset);
    return Promise.resolve();
  }

  renumber(offset: number): Promise<void> {
    const first = this.log[0]?.offset ?? Infinity;
    if (first <= offset) for (const one of this.log) one.offset += offset - first + 1;
    return Promise.resolve();
  }
}

/** Stands in for store and supervisor of a station: what is deployed and what serves one product id, in memory. */
export class PlainStation implements StationPort {
  readonly #deployed = new Map<string, string>();
  readonly #serving = new Map<string, string[]>();
  readonly #listeners = new Set<() => void>();
  /** Is called at each change of what serves. */
  onServing: (ref: string | undefined) => void = () => undefined;

  /** `name@version` that serves a product id. */
  served(productId: string): string | undefined {
    return this.#serving.get(productId)?.[0];
  }

  deployed(): ReturnType<StationPort['deployed']> {
    return Promise.resolve([...this.#deployed].map(([ref, digest]) => ({ ...versionOf(ref), digest })));
  }

  serving(): ReturnType<StationPort['serving']> {
    const entries = [...this.#serving].map(([id, [ref = '']]) => [
      id,
      { ...versionOf(ref), isOnTrial: false },
    ]);
    return Promise.resolve(Object.fromEntries(entries) as Awaited<ReturnType<StationPort['serving']>>);
  }

  install(...[, { name, version, digest }]: Parameters<StationPort['install']>): Promise<void> {
    this.#deployed.set(`${name}@${version}`, digest);
    return Promise.resolve();
  }

  switch({ name, version, productIds }: Parameters<StationPort['switch']>[0]): Promise<void> {
    const ref = `${name}@${version}`;
    for (const id of productIds) {
      const before = (this.#serving.get(id) ?? []).filter((one) => one !== ref);
      this.#changed(id, [ref, ...before]);
    }
    return Promise.resolve();
  }

  back({
    name,
    version,
    productIds,
    quarantined,
  }: Parameters<StationPort['back']>[0]): ReturnType<StationPort['back']> {
    const to: Record<string, string> = {};
    const left: string[] = [];
    for (const id of productIds) {
      const history = this.#serving.get(id) ?? [];
      if (history[0] !== `${name}@${version}`) continue;
      const rest = history.slice(1).filter((ref) => !quarantined.includes(versionOf(ref).version));
      this.#changed(id, rest);
      if (rest[0] === undefined) left.push(id);
      else to[id] = versionOf(rest[0]).version;
    }
    return Promise.resolve({ to, left });
  }

  uninstall(name: string, version: string): Promise<void> {
    this.#deployed.delete(`${name}@${version}`);
    return Promise.resolve();
  }

  locks(): Promise<string[]> {
    return Promise.resolve([]);
  }

  calls(): ReturnType<StationPort['calls']> {
    return Promise.resolve({});
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(productId: string, history: string[]): void {
    if (history.length === 0) this.#serving.delete(productId);
    else this.#serving.set(productId, history);
    this.onServing(history[0]);
    for (const listener of this.#listeners) listener();
  }
}

function versionOf(ref: string): { name: string; version: string } {
  const at = ref.lastIndexOf('@');
  return { name: ref.slice(0, at), version: ref.slice(at + 1) };
}
