import { existsSync } from 'node:fs';
import { settleOrAbort, throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { makeFolder, type Durability } from '../store/atomic-file.js';
import { noteAudit } from '../store/audit-log.js';
import type { StoreLayout } from '../store/layout.js';
import { isUnwritable } from '../store/errno.js';
import { withLock, type Lock } from '../store/lock.js';
import { keepReserve, withReserve } from '../store/reserve.js';
import { onStore } from '../store/store-error.js';
import type { MovedFiles } from './types.js';
import { publishChanges, publishMappings, sweepRegistry } from './published.js';
import { activationLog } from './records.js';
import { completeFromDisk, setAside, type RegistryDamage } from './rebuild.js';
import type { FileMark, RegistryContent, RegistryReading } from './registry-file.js';
import { FileLook, markOf, readRegistryFile, withoutPrototype } from './registry-file.js';
import { writeRegistryFile } from './registry-file.js';

export { LoggedChanges } from './logged-changes.js';
export * as uses from './uses.js';

interface ChangeOptions<T> extends OperationOptions {
  files?: MovedFiles;
  onCommit?: (answer: T) => void;
}

type Apply<T> = (content: RegistryContent) => T | Promise<T>;

/** What a {@link SharedContent} tells its owner. */
export interface ContentListeners {
  /** Another process wrote the registry. */
  changed: () => void;
  damaged: (damage: RegistryDamage) => void;
  /** The store cannot be reached any more: what is in memory serves on. */
  lost: (error: Error) => void;
  /** It can again. */
  found: () => void;
}

/**
 * `registry.json` in memory: kept up with the file, which other processes write too, and changed under the store's
 * lock, with a line in the audit log. Reading looks at the file's mark only, and reads it again when that is another.
 * Nothing begins after it is closed.
 */
export class SharedContent {
  readonly #layout: StoreLayout;
  readonly #durability: Durability;
  readonly #lockTimeoutMs: number;
  readonly #listeners: ContentListeners;
  #content: RegistryContent = { schema_version: 1, packages: [], active: withoutPrototype() };
  readonly #look: FileLook;
  /** Which file the content was read from; undefined before the first. */
  #seen: FileMark | undefined;
  /** Which file the copies in `active/` are known to agree with. */
  #published: FileMark | undefined;
  /** While a change of ours is on its way to the disk, what is in memory is what is valid. */
  #isCommitting = false;
  /** Rises when a commit begins and when it ends. */
  #commits = 0;
  /** Readings, one after the other: an older one must not end up on top. */
  #reading: Promise<unknown> = Promise.resolve();
  #repairing: Promise<void> | undefined;
  #isLost = false;
  readonly #poll: NodeJS.Timeout;
  readonly #running = new Set<Promise<unknown>>();
  /** What the last change of ours still does under the lock, after its commit. */
  #tail: Promise<unknown> | undefined;
  #isClosed = false;

  constructor(
    layout: StoreLayout,
    options: { durability: Durability; lockTimeoutMs: number; pollMs: number },
    listeners: ContentListeners,
  ) {
    this.#layout = layout;
    this.#look = new FileLook(layout.registry);
    this.#durability = options.durability;
    this.#lockTimeoutMs = options.lockTimeoutMs;
    this.#listeners = {
      ...listeners,
      changed: () => {
        if (!this.#isClosed) listeners.changed();
      },
      damaged: (damage) => {
        void this.#track(noteAudit(activationLog(layout), { operation: 'repair', ...damage }));
        listeners.damaged(damage);
      },
    };
    this.#poll = setInterval(() => void this.look().catch(() => undefined), options.pollMs);
    this.#poll.unref(); // an idle registry keeps no process alive
  }

  /**
   * Makes the folders of the store, if need be, and reads the file for the first time; writes one where there is none, so
   * that a missing one is a loss from then on.
   */
  open(options: OperationOptions): Promise<void> {
    return onStore(`open the store ${this.#layout.root}`, () => this.#open(options));
  }

  async #open(options: OperationOptions): Promise<void> {
    const { zips, deployedRoot, activeRoot, logs } = this.#layout;
    // First, with the folder of the store where that is missing: a worker's own user gets to its version through both.
    await makeFolder(deployedRoot, this.#durability, 0o755);
    for (const folder of [zips, activeRoot, logs]) {
      await makeFolder(folder, this.#durability).catch((error: unknown) => {
        if (!isUnwritable(error)) throw error; // a store that cannot be written can be read and run
      });
    }
    const reading = await readRegistryFile(this.#layout);
    if (reading.state === 'read' && reading.problems.length === 0) this.#take(reading);
    else await this.#repair(options);
    await keepReserve(this.#layout);
  }

  /** What the file said when it was last looked at. */
  get known(): RegistryContent {
    return this.#content;
  }

  /** What a person is shown, without a look at the disk. */
  get summary(): { versions: string[]; active: Record<string, string>; closed: boolean } {
    const { packages, active } = this.#content;
    const title = ({ name, version }: { name: string; version: string }) => `${name} ${version}`;
    return {
      versions: packages.map(title),
      active: Object.fromEntries(Object.values(active).map((mapping) => [mapping.pid, title(mapping)])),
      closed: this.#isClosed,
    };
  }

  /** What the file says now, or said when the store could be reached. Not to be changed by the caller. */
  async look(o: OperationOptions = {}): Promise<RegistryContent> {
    this.#enter('reading of the registry', o);
    return this.#track(onStore(`read ${this.#layout.registry}`, () => this.#current()));
  }

  /** The same without a wait; undefined where the file must be read first. */
  lookNow(): RegistryContent | undefined {
    if (this.#isClosed) return undefined;
    const mark = this.#isCommitting ? undefined : this.#mark();
    return mark === undefined || mark === this.#seen ? this.#content : undefined;
  }

  /**
   * One change: under the store's lock, on what the file says then, committed by one rename, then published. `apply`
   * gets a content whose lists it may change, but not the records in them; when it throws, nothing has happened.
   * `files` move under the same lock, so that nobody in {@link SharedContent.exclusive} finds them on their way. `onCommit` is
   * called with the answer once the change is on the disk, before it is published and the lock released.
   */
  async change<T>(what: string, o: ChangeOptions<T>, apply: Apply<T>): Promise<T> {
    this.#enter(what, o);
    const onCommit = (answer: T) => {
      const tail = Promise.allSettled([changed]).then(() => {
        if (this.#tail === tail) this.#tail = undefined;
      });
      this.#tail = tail;
      o.onCommit?.(answer);
    };
    const work = () => this.#change(what, apply, { ...o, onCommit });
    const changed = this.#track(onStore(`${what} in ${this.#layout.registry}`, work));
    return changed;
  }

  /**
   * Runs work while no process can change the file. Keep it short: every writer waits. `work` must not come back to this
   * object for more than {@link SharedContent.known}: the lock is taken.
   */
  async exclusive<T>(
    what: string,
    o: OperationOptions,
    work: (content: RegistryContent) => Promise<T>,
  ): Promise<T> {
    this.#enter(what, o);
    const run = () => this.#exclusive(what, work, o.signal);
    return this.#track(onStore(`${what} in ${this.#layout.root}`, () => withReserve(this.#layout, run)));
  }

  /** See {@link sweepRegistry}. */
  async sweep(o: OperationOptions): Promise<void> {
    this.#enter('sweep', o);
    const sweep = async () => {
      const { active } = await this.#current();
      this.#checkThere();
      await sweepRegistry(this.#layout, active, this.#durability, o.signal);
    };
    await this.#track(onStore(`sweep ${this.#layout.root}`, sweep));
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

  async #current(): Promise<RegistryContent> {
    for (;;) {
      const known = this.lookNow();
      if (known) return known;
      const turn = this.#reading.then(() => this.#readAgain());
      this.#reading = turn.catch(() => undefined);
      if (await turn) return this.#content;
    }
  }

  /** False when a change of ours came between: what was read may be older than it. */
  async #readAgain(): Promise<boolean> {
    if (this.#isCommitting) return false;
    const commits = this.#commits;
    const reading = await readRegistryFile(this.#layout).catch((error: unknown) => {
      this.#lose(error);
    });
    if (!reading) return true;
    if (commits !== this.#commits) return false;
    // `seen` may stand for a damaged file that could not be replaced: what was rebuilt from it is what there is.
    if (reading.mark === this.#seen) return true;
    if (reading.state !== 'read' || reading.problems.length > 0) {
      await (this.#repairing ??= this.#repair({}).finally(() => {
        this.#repairing = undefined;
      }));
      return true;
    }
    this.#take(reading);
    return true;
  }

  /** Which file is there; undefined while the store cannot be reached. */
  #mark(): FileMark | undefined {
    try {
      const mark = this.#look.mark();
      // A file that is gone is rebuilt from the store. A store that is gone (an unmounted disk) is waited for.
      if (mark === 'none') this.#checkThere();
      if (this.#isLost) this.#listeners.found();
      this.#isLost = false;
      return mark;
    } catch (error) {
      this.#lose(error);
      return undefined;
    }
  }

  #lose(error: unknown): void {
    if (this.#seen === undefined) throw error;
    if (!this.#isLost) this.#listeners.lost(error as Error);
    this.#isLost = true;
  }

  /** Nothing may be made in the place of a store that is gone: it would be taken for the store. */
  #checkThere(): void {
    const { algorithms, root } = this.#layout;
    if (this.#seen === undefined || existsSync(algorithms)) return;
    throw new RunnerError(
      'store_failed',
      `The store ${root} cannot be reached: ${algorithms} is gone. Mount its disk again; what runs goes on with what is in memory`,
      { details: { path: algorithms } },
    );
  }

  /** Writes the file anew from what the disk proves; where nothing can be written, that is what serves. */
  async #repair(options: OperationOptions): Promise<void> {
    try {
      await this.#change('repair', () => undefined, options);
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      const reading = await readRegistryFile(this.#layout);
      const damage = await completeFromDisk(this.#layout, reading);
      this.#take(reading);
      if (damage) this.#listeners.damaged(damage);
    }
  }

  async #change<T>(
    operation: string,
    apply: Apply<T>,
    { signal, files, onCommit }: ChangeOptions<T>,
  ): Promise<T> {
    return this.#locked(operation, signal, async (lock) => {
      const reading = await readRegistryFile(this.#layout);
      const damage = await completeFromDisk(this.#layout, reading);
      this.#take(reading);
      const { packages, active } = reading.content;
      const content: RegistryContent = {
        ...reading.content,
        packages: [...packages],
        active: Object.assign(withoutPrototype(), active),
      };
      const answer = await apply(content);
      throwIfAborted(signal, operation);
      if (damage) damage.setAside = await setAside(this.#layout, reading.state);
      await this.#commit(lock, reading, content, files);
      onCommit?.(answer);
      await this.#publish(content.active, reading);
      if (damage) this.#listeners.damaged(damage);
      return answer;
    });
  }

  async #exclusive<T>(
    operation: string,
    work: (content: RegistryContent) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    await this.#current(); // puts a damaged file right, which it could not while it holds the lock
    return this.#locked(operation, signal, async () => {
      if (markOf(this.#layout.registry) === this.#seen) return work(this.#content);
      const reading = await readRegistryFile(this.#layout);
      await completeFromDisk(this.#layout, reading); // damaged since: the next reader writes it
      return work(reading.content);
    });
  }

  async #locked<T>(
    operation: string,
    signal: AbortSignal | undefined,
    work: (lock: Lock) => Promise<T>,
  ): Promise<T> {
    this.#checkThere();
    const options = { operation, timeoutMs: this.#lockTimeoutMs, signal };
    await settleOrAbort(signal, this.#tailEnds());
    return withLock(this.#layout.lock, options, work);
  }

  /** Our own lock is about to be released: waiting for that is shorter than trying again and again. */
  async #tailEnds(): Promise<void> {
    const tail = this.#tail;
    if (!tail) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#lockTimeoutMs);
      void tail.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async #commit(
    lock: Lock,
    reading: RegistryReading,
    content: RegistryContent,
    files: MovedFiles | undefined,
  ): Promise<void> {
    await lock.assertHeld();
    this.#isCommitting = true;
    this.#commits += 1;
    const before = markOf(this.#layout.registry);
    try {
      await files?.publish();
      // It may fail after the rename, in waiting for the disk: then it has happened, and the next look at the file tells.
      await writeRegistryFile(this.#layout, { ...reading, content }, this.#durability);
      this.#seen = markOf(this.#layout.registry);
      this.#content = content;
    } catch (error) {
      // Once more after a passing error; the caller that moved them removes what remains.
      if (files && markOf(this.#layout.registry) === before) await files.withdraw().catch(files.withdraw);
      throw error;
    } finally {
      this.#isCommitting = false;
      this.#commits += 1;
    }
  }

  /** Brings the copies in `active/` up to date, once more after a passing error. */
  async #publish(active: RegistryContent['active'], before: RegistryReading): Promise<void> {
    // If nobody wrote since they were last brought up to date here, what they say is known.
    const isKnown = this.#published !== undefined && this.#published === before.mark;
    this.#published = undefined;
    const all = () => publishMappings(this.#layout, active, this.#durability);
    const first = isKnown
      ? publishChanges(this.#layout, before.content.active, active, this.#durability)
      : all();
    try {
      await first.catch(all);
      this.#published = this.#seen;
    } catch {
      // The change has happened: copies that cannot be written now are written with the next one, or by a sweep.
    }
  }

  #take({ mark, content }: RegistryReading): void {
    const isForeign = this.#seen !== undefined && mark !== this.#seen;
    this.#content = content;
    this.#seen = mark;
    if (isForeign) this.#listeners.changed();
  }
}
