import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { ParameterValues } from '../parameters/types.js';
import type { ProcessIdentity } from '../process/identity.js';
import { makeFolder, type Durability } from '../store/atomic-file.js';
import { appendAudit, audited } from '../store/audit-log.js';
import type { StoreLayout } from '../store/layout.js';
import { isUnwritable } from '../store/errno.js';
import { keepReserve, withReserve } from '../store/reserve.js';
import { onStore } from '../store/store-error.js';
import type { RegistryDamage } from './rebuild.js';
import type { RegistryContent } from './registry-file.js';
import { SharedContent, type MovedFiles } from './shared-content.js';
import { markedVersions, markUse, markUseLater, sweepUses, usersOf, type VersionUse } from './uses.js';

/** What a change is about, for the audit log. */
export interface ChangeRecord {
  name?: string;
  version?: string;
  pids: string[];
  operator?: string;
  force?: boolean;
  policy?: Readonly<Record<string, unknown>>;
  params?: ParameterValues;
  reason?: string;
}

/** The audit log of what serves which product id, and of what it is compared with. */
export function activationLog({ logs }: StoreLayout): string {
  return path.join(logs, 'package_activate.log');
}

/** What a {@link RegistryAccess} tells its owner, until it is closed. */
export interface AccessListeners {
  /** Another process wrote the registry. */
  changed: () => void;
  damaged: (damage: RegistryDamage) => void;
  lost: (error: Error) => void;
  found: () => void;
}

/**
 * How one open registry gets at the file: nothing after it was closed, which waits for what is under way; failures of
 * the system by name; changes with a line in the audit log; and a look for the changes of others from time to time.
 */
export class RegistryAccess {
  readonly #layout: StoreLayout;
  readonly #durability: Durability;
  readonly #file: SharedContent;
  readonly #poll: NodeJS.Timeout;
  readonly #running = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(
    layout: StoreLayout,
    options: { durability: Durability; lockTimeoutMs: number; pollMs: number },
    listeners: AccessListeners,
  ) {
    this.#layout = layout;
    this.#durability = options.durability;
    this.#file = new SharedContent(layout, options, {
      changed: () => {
        if (!this.#isClosed) listeners.changed();
      },
      damaged: (damage) => {
        void this.#track(this.log({ operation: 'repair', ...damage }, 0));
        listeners.damaged(damage);
      },
      lost: listeners.lost,
      found: listeners.found,
    });
    this.#poll = setInterval(() => void this.look().catch(() => undefined), options.pollMs);
    this.#poll.unref(); // an idle registry keeps no process alive
  }

  /** What the file said at the last look, without a look at the disk. */
  get known(): Readonly<RegistryContent> {
    return this.#file.known;
  }

  /** What a person is shown, without a look at the disk. */
  get summary(): { versions: string[]; active: Record<string, string>; closed: boolean } {
    const { packages, active } = this.#file.known;
    const title = ({ name, version }: { name: string; version: string }) => `${name} ${version}`;
    return {
      versions: packages.map(title),
      active: Object.fromEntries(Object.values(active).map((mapping) => [mapping.pid, title(mapping)])),
      closed: this.#isClosed,
    };
  }

  /** Makes the folders of the store, if need be, and reads the file for the first time. */
  async open(o: OperationOptions): Promise<void> {
    const { zips, deployedRoot, activeRoot, logs } = this.#layout;
    // First, with the folder of the store where that is missing: a worker's own user gets to its version through both.
    await makeFolder(deployedRoot, this.#durability, 0o755);
    for (const folder of [zips, activeRoot, logs]) {
      await makeFolder(folder, this.#durability).catch((error: unknown) => {
        if (!isUnwritable(error)) throw error; // a store that cannot be written can be read and run
      });
    }
    await this.#file.open(o);
    await keepReserve(this.#layout);
  }

  /** What the file says now. Not to be changed by the caller. */
  async look(o: OperationOptions = {}): Promise<RegistryContent> {
    this.#enter('reading of the registry', o);
    return this.#track(onStore(`read ${this.#layout.registry}`, () => this.#file.current()));
  }

  /** One change: see {@link SharedContent.change}. */
  async change<T>(
    what: string,
    o: OperationOptions & { files?: MovedFiles },
    apply: (content: RegistryContent) => T | Promise<T>,
  ): Promise<T> {
    this.#enter(what, o);
    const { signal, files } = o;
    const work = () => this.#file.change(what, apply, { signal, files });
    return this.#track(onStore(`${what} in ${this.#layout.registry}`, work));
  }

  /** A moment in which nobody changes anything: see {@link SharedContent.hold}. */
  async hold<T>(
    what: string,
    o: OperationOptions,
    work: (content: RegistryContent) => Promise<T>,
  ): Promise<T> {
    this.#enter(what, o);
    const { signal } = o;
    const held = () => this.#file.hold(what, work, { signal });
    return this.#track(onStore(`${what} in ${this.#layout.root}`, () => withReserve(this.#layout, held)));
  }

  /** A change that is in the audit log, however it ends. */
  async logged<T>(
    operation: string,
    record: ChangeRecord,
    o: OperationOptions,
    apply: (content: RegistryContent) => T | Promise<T>,
  ): Promise<T> {
    const whose = record.pids.length > 0 ? ['for', ...record.pids] : [];
    const what = [operation, record.name, record.version, ...whose].filter(Boolean).join(' ');
    return audited(this.#auditLog, { operation, ...record }, () =>
      withReserve(this.#layout, () => this.change(what, o, apply)),
    );
  }

  /** Work in a moment in which nobody changes anything; in the audit log, however it ends. */
  async loggedHold<T>(
    operation: string,
    record: ChangeRecord & { step_index?: number },
    o: OperationOptions,
    work: () => Promise<T>,
  ): Promise<T> {
    const what = [operation, 'for', ...record.pids].join(' ');
    return audited(this.#auditLog, { operation, ...record }, () => this.hold(what, o, work));
  }

  /** A record of something that has happened: a log that cannot be written does not undo it. */
  async log(about: { operation: string; [key: string]: unknown }, durationMs: number): Promise<void> {
    const record = {
      ...{ timestamp_ms: Date.now(), ...about, operation: about.operation },
      ...{ outcome: 'ok' as const, duration_ms: Math.round(durationMs) },
    };
    await appendAudit(this.#auditLog, record).catch(() => undefined);
  }

  /** See {@link SharedContent.sweep} and {@link sweepUses}. */
  async sweep(o: OperationOptions): Promise<void> {
    this.#enter('sweep', o);
    await this.#track(onStore(`sweep ${this.#layout.root}`, () => this.#file.sweep(o)));
    await sweepUses(this.#layout);
  }

  /** See {@link markUse}. */
  markUse(name: string, version: string): Promise<VersionUse> {
    return markUse(this.#layout, name, version);
  }

  /** See {@link markUseLater}. */
  markUseLater(name: string, version: string): VersionUse {
    return markUseLater(this.#layout, name, version);
  }

  /** See {@link usersOf}. */
  usersOf(name: string, version: string): Promise<ProcessIdentity[]> {
    return usersOf(this.#layout, name, version);
  }

  /** See {@link markedVersions}. */
  markedVersions(): Promise<ReadonlySet<string>> {
    return markedVersions(this.#layout);
  }

  /** Stops looking for changes, and waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#poll);
    await Promise.allSettled(this.#running);
  }

  #enter(what: string, { signal }: OperationOptions): void {
    throwIfAborted(signal, what);
    if (this.#isClosed) throw new RunnerError('closed', `The registry was closed before ${what}`);
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const forget = () => void this.#running.delete(work);
    work.then(forget, forget);
    return work;
  }

  get #auditLog(): string {
    return activationLog(this.#layout);
  }
}
