import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { VersionRef } from '../package/types.js';
import { livenessOf, ownIdentity, type ProcessIdentity } from '../process/identity.js';
import { lifeAt, removeSign, showLife, type Life } from '../process/life.js';
import { showAs } from '../readable.js';
import { isTemporaryName, makeFolder, readJson, writeJsonAtomic } from '../store/atomic-file.js';
import { inVanishingFolder } from '../store/errno.js';
import { ageOf, isProbeName } from '../store/file-age.js';
import type { StoreLayout } from '../store/layout.js';
import { namesIn } from '../store/names-in.js';
import { onStore } from '../store/store-error.js';

/** A mark that a live process uses a version; gone when released, void when the process dies. */
export interface VersionUse extends AsyncDisposable {
  /** Takes the mark away; twice is once. @throws RunnerError `store_failed`: then it is void all the same */
  release(): Promise<void>;
}

const REFRESH_MS = 30_000;
/** A mark that could not be made is tried again as often. */
const RETRY_MS = 5_000;
/** A user on another machine that has not refreshed its mark for this long is taken for dead. */
const SILENCE_MS = 5 * 60_000;

const UNREADABLE: ProcessIdentity = {
  ...{ host: 'an unknown host', machine: '', pid: 0, startTime: '', bootId: '', pidNamespace: '' },
};

function usesRoot(layout: StoreLayout): string {
  return path.join(layout.algorithms, '.uses');
}

function usesFolder(layout: StoreLayout, name: string, version: string): string {
  layout.deployed(name, version); // refuses what cannot be a folder name
  return path.join(usesRoot(layout), name, version);
}

/** Marks the version as used by this process. */
export async function markUse(
  layout: StoreLayout,
  name: string,
  version: string,
  refreshMs = REFRESH_MS,
): Promise<VersionUse> {
  const mark = new UseMark(layout, { name, version });
  try {
    await mark.write();
  } catch (error) {
    await mark.closeLife();
    throw error;
  }
  return keptUp(mark, refreshMs);
}

/** The same for a store that cannot be written now: the mark is made as soon as it can. */
export function markUseLater(
  layout: StoreLayout,
  name: string,
  version: string,
  refreshMs = RETRY_MS,
): VersionUse {
  return keptUp(new UseMark(layout, { name, version }), refreshMs);
}

/** The mark of one use: a record beside others of the version, and a sign of life. */
class UseMark {
  readonly version: VersionRef;
  readonly #layout: StoreLayout;
  readonly #folder: string;
  readonly #name = randomUUID();
  #life: Life | undefined;

  constructor(layout: StoreLayout, version: VersionRef) {
    this.#layout = layout;
    this.version = version;
    this.#folder = usesFolder(layout, version.name, version.version);
  }

  /** Void after a reboot anyway: no need to wait for the disk. */
  async write(): Promise<void> {
    await inVanishingFolder(async () => {
      await makeFolder(this.#folder, 'none');
      if (!(await this.#life?.refresh())) {
        await this.#life?.close();
        this.#life = await showLife(this.#folder, `${this.#name}${LIFE}`);
      }
      await writeJsonAtomic(this.#file, { ...(await ownIdentity()), life: this.#life?.mark }, 'none');
    });
  }

  /** The same again; not in the place of a store whose disk is gone: that would be taken for the store. */
  async refresh(): Promise<void> {
    if (existsSync(this.#layout.algorithms)) await this.write();
  }

  /** While a mark stays nobody can take the version away: once more after a passing error. */
  async remove(): Promise<void> {
    const remove = () => rm(this.#file, { force: true });
    const { name, version } = this.version;
    try {
      await onStore(`give up the use of ${name} ${version}`, () => remove().catch(remove));
    } finally {
      await this.closeLife(); // a mark that stays is void without it
    }
    await removeEmptyFolders(this.#folder);
  }

  async closeLife(): Promise<void> {
    await this.#life?.close();
  }

  get #file(): string {
    return path.join(this.#folder, `${this.#name}.json`);
  }
}

function keptUp(mark: UseMark, refreshMs: number): VersionUse {
  let writing: Promise<void> = Promise.resolve();
  // Written, not touched: the time is then the file server's, whose clock is everybody's. Also where it is gone, since
  // somebody may have taken this process for dead.
  const refresh = setInterval(() => {
    writing = writing.then(() => mark.refresh()).catch(() => undefined);
  }, refreshMs);
  refresh.unref();
  let released: Promise<void> | undefined;
  const release = () =>
    (released ??= (async () => {
      clearInterval(refresh);
      await writing;
      await mark.remove();
    })());
  const use: VersionUse = { release, [Symbol.asyncDispose]: release };
  showAs(use, 'VersionUse', () => ({ ...mark.version, released: released !== undefined }));
  return use;
}

/** Whether processes use the version, for those who look: where it cannot be told it may be so. */
export function isUsed(layout: StoreLayout, { name, version }: VersionRef): Promise<boolean> {
  return usersOf(layout, name, version).then(
    (users) => users.length > 0,
    () => true,
  );
}

/**
 * Processes that use the version and are not known to be dead; removes marks of dead ones.
 *
 * @throws RunnerError `store_failed` where the marks cannot be read: nobody may take that for none
 */
export async function usersOf(
  layout: StoreLayout,
  name: string,
  version: string,
): Promise<ProcessIdentity[]> {
  const folder = usesFolder(layout, name, version);
  const users: ProcessIdentity[] = [];
  for (const mark of await onStore(`see who uses ${name} ${version}`, () => namesIn(folder))) {
    if (!mark.endsWith('.json') || mark.startsWith('.')) continue;
    const file = path.join(folder, mark);
    const identity = (await readJson(file).catch(() => null)) as ProcessIdentity | null | undefined;
    if (identity === undefined) continue; // released since
    if (!(await isDeadUser(identity, file))) users.push(identity ?? UNREADABLE);
    // Where nothing can be removed, what the dead left does not count all the same.
    else {
      await rm(file, { force: true }).catch(() => undefined);
      await removeSign(file.replace(/\.json$/, LIFE)).catch(() => undefined);
    }
  }
  return users;
}

/** A mark that cannot be read is foreign or damaged: its age decides. */
async function isDeadUser(identity: ProcessIdentity | null, file: string): Promise<boolean> {
  const liveness = identity === null ? 'unknown' : await livenessOf(identity, path.dirname(file));
  return liveness === 'dead' || (liveness === 'unknown' && (await isSilent(file)));
}

/** Marks of dead processes, which are left as they are. */
export async function deadMarks(
  layout: StoreLayout,
): Promise<(VersionRef & { file: string; user: ProcessIdentity })[]> {
  const dead: (VersionRef & { file: string; user: ProcessIdentity })[] = [];
  for (const marked of await markedVersions(layout)) {
    const [name = '', version = ''] = marked.split('/');
    const folder = path.join(usesRoot(layout), name, version);
    for (const mark of await readdir(folder).catch(() => [])) {
      if (!mark.endsWith('.json') || mark.startsWith('.')) continue;
      const file = path.join(folder, mark);
      const identity = (await readJson(file).catch(() => null)) as ProcessIdentity | null | undefined;
      if (identity === undefined || !(await isDeadUser(identity, file))) continue;
      dead.push({ name, version, file, user: identity ?? UNREADABLE });
    }
  }
  return dead;
}

/** Removes what processes that were killed left: their marks, files half written, folders that are empty without. */
export async function sweepUses(layout: StoreLayout): Promise<void> {
  for (const marked of await markedVersions(layout)) {
    const [name = '', version = ''] = marked.split('/');
    const folder = path.join(usesRoot(layout), name, version);
    for (const file of await readdir(folder).catch(() => [])) {
      const isLeft =
        isTemporaryName(file) ||
        isProbeName(file) ||
        (file.includes(LIFE) && (await isDeadLife(folder, file)));
      if (isLeft && (await isSilent(path.join(folder, file)))) await removeSign(path.join(folder, file));
    }
    await usersOf(layout, name, version).catch(() => []);
    await removeEmptyFolders(folder);
  }
}

/** Versions that have a mark, of the living or the dead: `name/version`. */
export async function markedVersions(layout: StoreLayout): Promise<ReadonlySet<string>> {
  const root = usesRoot(layout);
  const marked = new Set<string>();
  for (const name of await readdir(root).catch(() => [])) {
    for (const version of await readdir(path.join(root, name)).catch(() => [])) {
      marked.add(`${name}/${version}`);
    }
  }
  return marked;
}

/** Comes between the name of a mark and the sign of life of its user. */
const LIFE = '.life';

async function isDeadLife(folder: string, name: string): Promise<boolean> {
  const device = String((await stat(folder)).dev);
  return (await lifeAt(folder, { name, device })) === 'dead';
}

async function isSilent(file: string): Promise<boolean> {
  const age = await ageOf(file);
  // Released since, or a disk that takes no file: not known to be dead.
  return age !== undefined && age > SILENCE_MS;
}

async function removeEmptyFolders(folder: string): Promise<void> {
  const ofName = path.dirname(folder);
  for (const empty of [folder, ofName, path.dirname(ofName)]) await rmdir(empty).catch(() => undefined);
}
