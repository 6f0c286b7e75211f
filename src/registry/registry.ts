import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { SafeEmitter } from '../emitter.js';
import { RunnerError } from '../errors.js';
import type { ProcessIdentity } from '../process/identity.js';
import type { Durability } from '../store/atomic-file.js';
import { audited } from '../store/audit-log.js';
import { StoreLayout } from '../store/layout.js';
import { acquireLock, isLockPresent } from '../store/lock.js';
import { onStore } from '../store/store-error.js';
import {
  checkSupported,
  checkUnclaimed,
  checkUnused,
  findEntry,
  findMapping,
  remap,
  stepBack,
  type MappingChange,
} from './mappings.js';
import {
  areMappingsPublished,
  publishMappings,
  readRegistry,
  setAside,
  unfinishedFiles,
  writeRegistry,
  type RegistryContent,
  type RegistryDamage,
} from './registry-file.js';
import type { ActiveMapping, PackageState, RegistryEntry } from './types.js';
import { markUse, usersOf, type VersionUse } from './uses.js';

/** Options of {@link Registry.open}. */
export interface RegistryOptions extends OperationOptions {
  /** `none` does not wait for the disk: for tests. @defaultValue 'full' */
  durability?: Durability;
  /** How often a change by another process is looked for. @defaultValue 500 */
  pollMs?: number;
  /** How long to wait for another process that holds the store. @defaultValue 30_000 */
  lockTimeoutMs?: number;
}

/** Events of a {@link Registry}. */
export interface RegistryEvents {
  registered: [entry: RegistryEntry];
  unregistered: [version: { name: string; version: string }];
  activated: [mappings: ActiveMapping[]];
  deactivated: [mappings: ActiveMapping[]];
  switched: [mappings: ActiveMapping[]];
  rolledBack: [mapping: ActiveMapping];
  /** Another process wrote the registry. */
  changed: [];
  /** `registry.json` was damaged; what could be was taken from disk. */
  damaged: [damage: RegistryDamage];
}

/** Which deployed versions to list. */
export interface RegistryFilter {
  name?: string;
  state?: PackageState;
}

/**
 * What is deployed, and which version serves which product id. `registry.json` is the commit point of a store: what
 * it lists is complete, what it does not list is not there. Several processes may open one store.
 */
export class Registry extends SafeEmitter<RegistryEvents> {
  readonly layout: StoreLayout;
  readonly durability: Durability;
  readonly #lockTimeoutMs: number;
  readonly #poll: NodeJS.Timeout;
  #content: RegistryContent;
  /** Which file the content was read from. */
  #seen: string;
  #isClosed = false;

  private constructor(
    layout: StoreLayout,
    options: RegistryOptions,
    start: { content: RegistryContent; seen: string },
  ) {
    super();
    this.layout = layout;
    this.durability = options.durability ?? 'full';
    this.#lockTimeoutMs = options.lockTimeoutMs ?? 30_000;
    this.#content = start.content;
    this.#seen = start.seen;
    this.#poll = setInterval(() => void this.#refresh().catch(() => undefined), options.pollMs ?? 500);
    this.#poll.unref(); // an idle registry keeps no process alive
  }

  /**
   * Opens the store at `root`, making its folders if need be.
   *
   * @throws RunnerError `store_failed` when the system refuses, `lock_timeout`, `aborted`
   */
  static async open(root: string | StoreLayout, options: RegistryOptions = {}): Promise<Registry> {
    throwIfAborted(options.signal, 'open registry');
    const layout = typeof root === 'string' ? new StoreLayout(root) : root;
    const { seen, content, damage } = await onStore(`open the store ${layout.root}`, async () => {
      for (const folder of [layout.zips, layout.deployedRoot, layout.activeRoot, layout.logs]) {
        await mkdir(folder, { recursive: true });
      }
      return { seen: await fingerprint(layout.registry), ...(await readRegistry(layout)) };
    });
    const registry = new Registry(layout, options, { content, seen });
    try {
      if (damage) await registry.#repair(options.signal);
      return registry;
    } catch (error) {
      await registry.close();
      throw error;
    }
  }

  /** Deployed versions, in the order of their registration. A version that a live process uses is `running`. */
  async list(filter: RegistryFilter = {}, o: OperationOptions = {}): Promise<RegistryEntry[]> {
    await this.#current(o);
    const named = this.#content.packages.filter(
      (entry) => filter.name === undefined || entry.name === filter.name,
    );
    const entries = await Promise.all(named.map((entry) => this.#withState(entry)));
    return entries.filter((entry) => filter.state === undefined || entry.state === filter.state);
  }

  /** One deployed version. */
  async get(name: string, version: string, o: OperationOptions = {}): Promise<RegistryEntry | undefined> {
    await this.#current(o);
    const entry = this.#content.packages.find((found) => found.name === name && found.version === version);
    return entry && this.#withState(entry);
  }

  /**
   * Binds product ids to a version: all of them or none.
   *
   * @throws RunnerError `not_found`, `invalid_pid` for an id the version does not support, `activation_conflict` (2006)
   * for one that another package serves
   */
  async activate(o: MappingChange & OperationOptions): Promise<ActiveMapping[]> {
    const mappings = await this.#map('activate', o, (content) => {
      checkUnclaimed(content, o);
    });
    this.emit('activated', mappings);
    return mappings;
  }

  /** Binds product ids to a version, also away from another package: all of them or none. */
  async switch(o: MappingChange & OperationOptions): Promise<ActiveMapping[]> {
    const mappings = await this.#map('switch', o, () => undefined);
    this.emit('switched', mappings);
    return mappings;
  }

  /** Unbinds product ids: all of them or none. @throws RunnerError `not_found` for one that is not bound */
  async deactivate(o: { pids: string[]; operator?: string } & OperationOptions): Promise<void> {
    const { pids, operator, signal } = o;
    const removed = await this.#change('deactivate', { pids, operator, signal }, (content) =>
      pids
        .map((pid) => findMapping(content, pid))
        .map((mapping) => {
          // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a record by product id, without prototype
          delete content.active[mapping.pid];
          return mapping;
        }),
    );
    this.emit('deactivated', removed);
  }

  /** Goes back to the version that served the product id before. @throws RunnerError `not_found` when there is none */
  async rollback(o: { pid: string; operator?: string } & OperationOptions): Promise<ActiveMapping> {
    const { pid, operator, signal } = o;
    const mapping = await this.#change('rollback', { pids: [pid], operator, signal }, (content) => {
      const back = stepBack(content, pid, operator, new Date().toISOString());
      content.active[pid] = back;
      return back;
    });
    this.emit('rolledBack', mapping);
    return mapping;
  }

  /** Mappings by product id. */
  async active(o: OperationOptions = {}): Promise<Record<string, ActiveMapping>> {
    await this.#current(o);
    return structuredClone({ ...this.#content.active });
  }

  /**
   * The version that serves a product id. Reads nothing again that has not changed.
   * @throws RunnerError `not_found`
   */
  async resolve(pid: string, o: OperationOptions = {}): Promise<RegistryEntry> {
    await this.#current(o);
    const { name, version } = findMapping(this.#content, pid);
    return structuredClone(findEntry(this.#content, name, version));
  }

  /** Lists a version as deployed: the last step of an install. An entry of the same name and version is replaced. */
  async register(entry: RegistryEntry, o: OperationOptions & { operator?: string } = {}): Promise<void> {
    const about = { name: entry.name, version: entry.version, ...o };
    await this.#change('register', about, (content) => {
      const others = content.packages.filter((known) => !isSame(known, entry));
      content.packages = [...others, structuredClone(entry)];
    });
    this.emit('registered', entry);
  }

  /**
   * Takes a version off the list: the first step of an uninstall. With `force` its mappings go with it.
   *
   * @throws RunnerError `not_found`; `unsafe_uninstall` (2007) while it is active or a live process uses it, unless
   * forced
   */
  async unregister(
    name: string,
    version: string,
    o: OperationOptions & { operator?: string; force?: boolean } = {},
  ): Promise<void> {
    const { force = false, ...who } = o;
    await this.#change('unregister', { name, version, ...who }, async (content) => {
      const entry = findEntry(content, name, version);
      if (!force) checkUnused(content, entry, await usersOf(this.layout, name, version));
      content.packages = content.packages.filter((known) => known !== entry);
      content.active = Object.assign(
        Object.create(null) as Record<string, ActiveMapping>,
        Object.fromEntries(Object.entries(content.active).filter(([, mapping]) => !isSame(mapping, entry))),
      );
    });
    this.emit('unregistered', { name, version });
  }

  /**
   * Marks a version as in use by this process, until released or dead. The mark is written first and the version
   * looked for then, while an uninstall takes the version away first and looks for marks then: one of the two always
   * sees the other.
   *
   * @throws RunnerError `not_found`
   */
  async use(name: string, version: string, o: OperationOptions = {}): Promise<VersionUse> {
    await this.#current(o);
    findEntry(this.#content, name, version);
    const use = await markUse(this.layout, name, version);
    try {
      await this.#current(o);
      findEntry(this.#content, name, version);
      return use;
    } catch (error) {
      await use.release();
      throw error;
    }
  }

  /** Live processes that use a version, on this host or another. */
  async users(name: string, version: string): Promise<ProcessIdentity[]> {
    return usersOf(this.layout, name, version);
  }

  /**
   * Removes what a process that died in the middle of a change left: its lock, files half written. While another
   * process holds the registry nothing is done: then it is that one's turn.
   */
  async sweep({ signal }: OperationOptions = {}): Promise<void> {
    const lock = `${this.layout.registry}.lock`;
    const { content: current } = await readRegistry(this.layout);
    const isLeft =
      (await isLockPresent(lock)) ||
      (await unfinishedFiles(this.layout)).length > 0 ||
      !(await areMappingsPublished(this.layout, current.active));
    if (!isLeft) return;
    try {
      await using _lock = await acquireLock(lock, { operation: 'recover', timeoutMs: 0, signal });
      // Whoever writes them holds the lock: now there is none that is being written.
      for (const file of await unfinishedFiles(this.layout)) await rm(file, { force: true });
      const { content, damage } = await readRegistry(this.layout);
      if (!damage) await publishMappings(this.layout, content.active, this.durability);
    } catch (error) {
      if (!RunnerError.is(error, 'lock_timeout')) throw error;
    }
  }

  /** Stops looking for changes. */
  // eslint-disable-next-line @typescript-eslint/require-await -- the contract gives a Promise
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#poll);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #map(
    operation: string,
    o: MappingChange & OperationOptions,
    check: (content: RegistryContent) => void,
  ): Promise<ActiveMapping[]> {
    const { name, version, pids, operator, signal } = o;
    return this.#change(operation, { name, version, pids, operator, signal }, (content) => {
      checkSupported(findEntry(content, name, version), pids);
      check(content);
      const mappings = remap(content, { name, version, pids, operator }, new Date().toISOString());
      for (const mapping of mappings) content.active[mapping.pid] = mapping;
      return structuredClone(mappings);
    });
  }

  /** One change: under the store's lock, on fresh content, committed by one rename, then published and told. */
  async #change<T>(
    operation: string,
    about: { name?: string; version?: string; pids?: string[]; operator?: string } & OperationOptions,
    apply: (content: RegistryContent) => T | Promise<T>,
  ): Promise<T> {
    const { signal, ...who } = about;
    throwIfAborted(signal, operation);
    if (this.#isClosed) throw new RunnerError('closed', `The registry was closed before ${operation}`);
    const log = path.join(this.layout.logs, 'package_activate.log');
    const change = async () => {
      await using _lock = await acquireLock(`${this.layout.registry}.lock`, {
        operation: [operation, who.name, who.version, ...(who.pids ?? [])].filter(Boolean).join(' '),
        timeoutMs: this.#lockTimeoutMs,
        signal,
      });
      const { content, damage } = await readRegistry(this.layout);
      if (damage?.setAside !== undefined) damage.setAside = await setAside(this.layout);
      const answer = await apply(content);
      await this.#commit(content);
      if (damage) this.emit('damaged', damage);
      return answer;
    };
    return audited(log, { operation, ...who }, () =>
      onStore(`${operation} in ${this.layout.registry}`, change),
    );
  }

  async #repair(signal: AbortSignal | undefined): Promise<void> {
    await this.#change('repair', { signal }, () => undefined);
  }

  async #commit(content: RegistryContent): Promise<void> {
    await writeRegistry(this.layout, content, this.durability);
    this.#content = content;
    this.#seen = await fingerprint(this.layout.registry);
    const publish = () => publishMappings(this.layout, content.active, this.durability);
    // The change has happened: copies that cannot be written now are written with the next one, or by a sweep.
    await publish()
      .catch(publish)
      .catch(() => undefined);
  }

  async #current({ signal }: OperationOptions): Promise<void> {
    throwIfAborted(signal, 'registry');
    if (this.#isClosed) throw new RunnerError('closed', 'The registry was closed');
    await onStore(`read ${this.layout.registry}`, () => this.#refresh());
  }

  /** Reads the file again if it is another than the one last read. */
  async #refresh(): Promise<void> {
    const seen = await fingerprint(this.layout.registry);
    if (seen === this.#seen || this.#isClosed) return;
    const { content, damage } = await readRegistry(this.layout);
    if (damage) {
      await this.#repair(undefined);
    } else {
      this.#content = content;
      this.#seen = seen;
    }
    this.emit('changed');
  }

  async #withState(entry: RegistryEntry): Promise<RegistryEntry> {
    const copy = structuredClone(entry);
    if ((await usersOf(this.layout, entry.name, entry.version)).length > 0) copy.state = 'running';
    return copy;
  }
}

function isSame(a: { name: string; version: string }, b: { name: string; version: string }): boolean {
  return a.name === b.name && a.version === b.version;
}

/** Tells one written file from the next: each write is a new file by rename. */
async function fingerprint(file: string): Promise<string> {
  try {
    const { ino, mtimeNs, size } = await stat(file, { bigint: true });
    return `${ino}-${mtimeNs}-${size}`;
  } catch {
    return 'none';
  }
}
