import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Durability } from '../store/atomic-file.js';
import type { StoreLayout } from '../store/layout.js';
import { isUnwritable } from '../store/errno.js';
import { hasLockFiles, withLock, type Lock } from '../store/lock.js';
import { isPublished, publishChanges, publishMappings, unfinishedFiles } from './published.js';
import { completeFromDisk, setAside, type RegistryDamage } from './rebuild.js';
import {
  markOf,
  readRegistryFile,
  withoutPrototype,
  writeRegistryFile,
  type FileMark,
  type RegistryContent,
  type RegistryReading,
} from './registry-file.js';

/** Files that move with a change: in their new places once it is committed, else where they were. */
export interface MovedFiles {
  /** Moves them, just before the commit. */
  publish: () => Promise<void>;
  /** Moves them back, when the commit has not happened; however far `publish` came. */
  withdraw: () => Promise<void>;
}

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
 * lock. Reading looks at the file's mark only, and reads it again when that is another.
 */
export class SharedContent {
  readonly #layout: StoreLayout;
  readonly #durability: Durability;
  readonly #lockTimeoutMs: number;
  readonly #listeners: ContentListeners;
  #content: RegistryContent = { schema_version: 1, packages: [], active: withoutPrototype() };
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

  constructor(
    layout: StoreLayout,
    options: { durability: Durability; lockTimeoutMs: number },
    listeners: ContentListeners,
  ) {
    this.#layout = layout;
    this.#durability = options.durability;
    this.#lockTimeoutMs = options.lockTimeoutMs;
    this.#listeners = listeners;
  }

  /** Reads the file for the first time; writes one where there is none, so that a missing one is a loss from then on. */
  async open(options: OperationOptions): Promise<void> {
    const reading = await readRegistryFile(this.#layout);
    if (reading.state === 'read' && reading.problems.length === 0) this.#take(reading);
    else await this.#repair(options);
  }

  /** What the file said when it was last looked at. */
  get known(): RegistryContent {
    return this.#content;
  }

  /** What the file says now, or said when the store could be reached. Not to be changed by the caller. */
  async current(): Promise<RegistryContent> {
    for (;;) {
      if (this.#isCommitting) return this.#content;
      const mark = this.#mark();
      if (mark === undefined || mark === this.#seen) return this.#content;
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
      const mark = markOf(this.#layout.registry);
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
      `The store ${root} cannot be reached: ${algorithms} is gone. Mount its disk again; what runs goes on with what is ` +
        'in memory',
      { details: { path: algorithms } },
    );
  }

  /** Writes the file anew from what the disk proves; where nothing can be written, that is what serves. */
  async #repair(options: OperationOptions): Promise<void> {
    try {
      await this.change('repair', () => undefined, options);
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      const reading = await readRegistryFile(this.#layout);
      const damage = await completeFromDisk(this.#layout, reading);
      this.#take(reading);
      if (damage) this.#listeners.damaged(damage);
    }
  }

  /**
   * One change: under the store's lock, on what the file says then, committed by one rename, then published. `apply`
   * gets a content whose lists it may change, but not the records in them; when it throws, nothing has happened.
   * `files` move under the same lock, so that nobody in {@link SharedContent.hold} finds them on their way.
   */
  async change<T>(
    operation: string,
    apply: (content: RegistryContent) => T | Promise<T>,
    { signal, files }: OperationOptions & { files?: MovedFiles },
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
      await this.#publish(content.active, reading);
      if (damage) this.#listeners.damaged(damage);
      return answer;
    });
  }

  /**
   * Runs work while no process can change the file. Keep it short: every writer waits. `work` must not come back to this
   * object for more than {@link SharedContent.known}: the lock is taken.
   */
  async hold<T>(
    operation: string,
    work: (content: RegistryContent) => Promise<T>,
    { signal }: OperationOptions,
  ): Promise<T> {
    await this.current(); // puts a damaged file right, which it could not while it holds the lock
    return this.#locked(operation, signal, async () => {
      if (markOf(this.#layout.registry) === this.#seen) return work(this.#content);
      const reading = await readRegistryFile(this.#layout);
      await completeFromDisk(this.#layout, reading); // damaged since: the next reader writes it
      return work(reading.content);
    });
  }

  #locked<T>(
    operation: string,
    signal: AbortSignal | undefined,
    work: (lock: Lock) => Promise<T>,
  ): Promise<T> {
    this.#checkThere();
    return withLock(this.#layout.lock, { operation, timeoutMs: this.#lockTimeoutMs, signal }, work);
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

  /**
   * Removes what a process that died in the middle of a change left: its lock, files half written, copies not written.
   * While another process holds the registry nothing is done: then it is that one's turn.
   */
  async sweep({ signal }: OperationOptions): Promise<void> {
    if (!(await this.#isUntidy())) return;
    this.#checkThere();
    try {
      await withLock(this.#layout.lock, { operation: 'recover', timeoutMs: 0, signal }, async () => {
        // Writers hold the lock, so no such file is being written now.
        for (const file of await unfinishedFiles(this.#layout)) await rm(file, { force: true });
        const { content, state, problems } = await readRegistryFile(this.#layout);
        if (state === 'read' && problems.length === 0) {
          await publishMappings(this.#layout, content.active, this.#durability);
        }
      });
    } catch (error) {
      if (!RunnerError.is(error, 'lock_timeout')) throw error;
    }
  }

  async #isUntidy(): Promise<boolean> {
    if (await hasLockFiles(this.#layout.lock)) return true;
    if ((await unfinishedFiles(this.#layout)).length > 0) return true;
    return !(await isPublished(this.#layout, (await this.current()).active));
  }
}
