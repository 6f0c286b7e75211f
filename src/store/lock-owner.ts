import { randomUUID } from 'node:crypto';
import {
  link,
  lstat,
  lutimes,
  open,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
} from 'node:fs/promises';
import path from 'node:path';
import { nodeCrypto } from '../node-crypto.js';
import { ownIdentity, type ProcessIdentity } from '../process/identity.js';
import { LONGEST_LIFE_NAME, showLife, type Life } from '../process/life.js';
import { errnoCode, isMissing } from './errno.js';
import { whileHeld } from './held-files.js';

/** Who holds a lock, as its owner file says. */
export interface LockOwner extends ProcessIdentity {
  /** Random; tells one acquisition from the next. */
  token: string;
  /** What it holds the lock for. */
  operation: string;
  /** ISO 8601, UTC. */
  acquiredAt: string;
}

/** The record must fit into a symbolic link. */
const LONGEST_OPERATION = 200;

/** A fresh owner record for this process. */
export async function newOwner(operation: string): Promise<LockOwner> {
  return {
    ...(await ownIdentity()),
    token: randomUUID(),
    operation: operation.length > LONGEST_OPERATION ? `${operation.slice(0, LONGEST_OPERATION)}…` : operation,
    acquiredAt: new Date().toISOString(),
  };
}

/**
 * An owner record for this process, and its sign of life. The sign exists before the record: a record without a sign
 * means that the owner is dead.
 */
export async function livingOwner(
  file: string,
  operation: string,
): Promise<{ owner: LockOwner; life: Life | undefined }> {
  const owner = await newOwner(operation);
  const name = lifePrefix(file) + bootMark(owner) + owner.token.slice(0, MARK);
  const life = await showLife(path.dirname(file), name);
  return { owner: life ? { ...owner, life: life.mark } : owner, life };
}

/**
 * How the names of the signs of life of a lock's owners begin: with the name of the lock, as the names of all its files
 * do, or with a hash of a name that is too long.
 */
export function lifePrefix(file: string): string {
  const name = path.basename(file);
  const isShort = Buffer.byteLength(name) + LIFE.length + 2 * MARK <= LONGEST_LIFE_NAME;
  return `${isShort ? name : `~${digestOf(name)}.lock`}${LIFE}`;
}

/** Tells from the name of a sign of life whether it is one of this kernel's, and can be asked from here. */
export function bootMark({ host, bootId }: ProcessIdentity): string {
  return digestOf(bootId || host).slice(0, MARK);
}

function digestOf(text: string): string {
  return nodeCrypto()
    .createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, 2 * MARK);
}

/** Reading the record of an owner takes a moment; a scanner that looks at it takes longer. */
const GOING_MS = 5_000;
const LIFE = '.life-';
/** Characters of each mark in the name of a sign of life. */
const MARK = 8;

/** Systems and shares without symbolic links, or that do not let everybody make them, say so in one of these ways. */
const NO_LINKS = new Set(['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENAMETOOLONG']);

/** The same of hard links; Windows has one more. */
const NO_HARD_LINKS: ReadonlySet<string> = new Set([...NO_LINKS, 'EISDIR', 'UNKNOWN', 'EMLINK']);
/** On Windows these tell of a file that is held, or going. */
const HELD_THERE: ReadonlySet<string> = new Set(['EPERM', 'EACCES']);

/**
 * Creates the owner file; false when there is one already.
 *
 * It is a symbolic link whose target is the record: made exclusively and whole in one step, so that a process killed
 * at any instant leaves either no record or a complete one. Where there are no such links, or (Windows) a link's
 * target is rewritten as a path, it is a file that is written under another name and then linked to its own.
 */
export async function createOwnerFile(
  file: string,
  owner: LockOwner,
  platform: NodeJS.Platform = process.platform,
): Promise<boolean> {
  const record = JSON.stringify(owner);
  try {
    if (platform !== 'win32' && (await isLinkedTo(file, record))) return true;
    return await whileGoing(file, () => writeNew(file, record, owner, platform), platform);
  } catch (error) {
    if (errnoCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * A file of a lock that was removed while another process reads it stays until that one has closed it (Windows), and
 * can be neither opened nor made: it is gone in a moment.
 */
export function whileGoing<T>(
  file: string,
  work: () => Promise<T>,
  platform: NodeJS.Platform = process.platform,
): Promise<T> {
  return whileHeld(`use ${file}`, work, { platform, limitMs: GOING_MS });
}

/**
 * Removes the file of an owner, or of a claim, while its record is still the meant one; absent is fine.
 *
 * On Windows it gets a name of its own before. A removed file keeps its name there until everybody has closed it: the next
 * owner could not be written, and (Wine) its record could still be read, whose owner looks dead by then. And an attempt
 * that is repeated after a while must not remove the file that the next owner has made since.
 */
export async function removeOwnerFile(
  file: string,
  isMeant: () => Promise<boolean>,
  platform: NodeJS.Platform = process.platform,
): Promise<void> {
  const remove = async () => {
    if (!(await isMeant())) return;
    try {
      if (platform !== 'win32') {
        await unlink(file);
        return;
      }
      const going = scratchOf(file);
      await rename(file, going);
      await unlink(going).catch(() => undefined); // a file that stays is swept later
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  };
  await whileGoing(file, remove, platform);
}

const SCRATCH = '.scratch-';

/** A name beside a file of a lock, for what becomes it or was it. */
function scratchOf(file: string): string {
  return `${file}${SCRATCH}${randomUUID()}`;
}

/** Whether {@link scratchOf} gives such names to files of this lock. */
export function isScratch(name: string, lockName: string): boolean {
  return name.startsWith(`${lockName}.`) && name.includes(SCRATCH);
}

/** Tells other hosts that the owner lives. */
export async function refreshOwnerFile(file: string): Promise<void> {
  const now = new Date();
  await lutimes(file, now, now);
}

/** The owner, `undefined` when there is no file, `null` when it is half written or garbage. */
export async function readOwner(
  file: string,
  platform: NodeJS.Platform = process.platform,
): Promise<LockOwner | null | undefined> {
  try {
    const owner = JSON.parse(await whileGoing(file, () => readRecord(file), platform)) as LockOwner | null;
    return typeof owner?.token === 'string' && typeof owner.pid === 'number' ? owner : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (error instanceof SyntaxError || errnoCode(error) === 'EISDIR') return null;
    throw error;
  }
}

/** Whether the symbolic link could be made; false where there are none. */
async function isLinkedTo(file: string, record: string): Promise<boolean> {
  try {
    await symlink(record, file);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (NO_LINKS.has(code)) return false;
    // The system's message has the whole record in it, where the reader looks for a file.
    const message = `${code}: cannot write who holds the lock, symlink '${file}'`;
    throw Object.assign(new Error(message, { cause: error }), { code, path: file, syscall: 'symlink' });
  }
}

/**
 * Makes the file whole from its first instant: written beside it, then linked, which fails where there is one. Where a
 * file system has no hard links it is made and then written; who takes that for left in between removes it, so it is
 * read again.
 */
async function writeNew(
  file: string,
  record: string,
  owner: LockOwner,
  platform: NodeJS.Platform,
): Promise<boolean> {
  if (await lstat(file).catch(() => undefined)) return false;
  const scratch = scratchOf(file);
  try {
    await writeExclusively(scratch, record);
    await link(scratch, file);
    return true;
  } catch (error) {
    const code = errnoCode(error) ?? '';
    const isHeld = platform === 'win32' && HELD_THERE.has(code);
    if (isHeld || !NO_HARD_LINKS.has(code)) throw error;
  } finally {
    await rm(scratch, { force: true }).catch(() => undefined);
  }
  await writeExclusively(file, record);
  return (await readOwner(file, platform))?.token === owner.token;
}

async function writeExclusively(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}

async function readRecord(file: string): Promise<string> {
  try {
    return await readlink(file);
  } catch (error) {
    // EINVAL: it is no link. Windows says UNKNOWN.
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code !== 'EINVAL' && code !== 'UNKNOWN') throw error;
    return readFile(file, 'utf8');
  }
}

/** One look at a file: which one it is, and when it was last refreshed. */
export async function fingerprint(file: string): Promise<string | undefined> {
  try {
    const { ino, mtimeMs } = await lstat(file);
    return `${ino}-${mtimeMs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The holder in words, for an error message. */
export function describeOwner(owner: LockOwner | null | undefined): string {
  if (!owner) return 'a process that has not said who it is';
  return `process ${owner.pid} on ${owner.host} (${owner.operation}, since ${owner.acquiredAt})`;
}
