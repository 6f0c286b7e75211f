import { readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { abortError, throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError, withLater } from '../errors.js';
import type { Life } from '../process/life.js';
import { makeFolder } from './atomic-file.js';
import {
  createOwnerFile,
  describeOwner,
  livingOwner,
  newOwner,
  readOwner,
  refreshOwnerFile,
  removeOwnerFile,
  type LockOwner,
  whileGoing,
} from './lock-owner.js';
import {
  abandon,
  isDying,
  removeIfDead,
  SilenceWatch,
  sweepLeftovers,
  type Takeover,
} from './lock-takeover.js';
import { isMissing } from './errno.js';
import { loadLockfile } from './lockfile-loader.js';
import { isSetAside } from './set-aside.js';

/** How to wait for a lock. */
export interface LockOptions extends OperationOptions {
  /** What it is held for; others read it while they wait. */
  operation: string;
  /** How long to wait for another holder. @defaultValue 30_000 */
  timeoutMs?: number;
  /** How often a holder says that it lives, for those who cannot see its process. @defaultValue 2_000 */
  refreshMs?: number;
  /**
   * A holder on another machine that has not said so for this long is taken for dead, once it has been watched for a
   * quarter of it. Every waiter takes over after the same time: who finds such a holder watches to the end, also past
   * `timeoutMs`. @defaultValue 20_000
   */
  silenceMs?: number;
}

/** A lock that is held until it is released. */
export interface Lock extends AsyncDisposable {
  readonly owner: LockOwner;
  /**
   * Looks again before a step that cannot be taken back: a holder whose machine slept may have been taken for dead.
   * @throws RunnerError `lock_lost`
   */
  assertHeld(): Promise<void>;
  /**
   * Gives the lock back; safe to call twice. When its file cannot be removed, nobody holds the lock all the same: this
   * process and others take it over, and the file is removed as soon as the disk lets it.
   * @throws the error of the system
   */
  release(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const REFRESH_MS = 2_000;
/** Ten refreshes: a holder whose disk or network stalls is not yet dead. */
const SILENCE_MS = 20_000;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/**
 * Takes the lock at `file`, waiting for another holder.
 *
 * What decides is the owner file, created exclusively and saying from its first instant on whose it is. `lockfile`
 * creates the lock file beside it, for programs that look for a lock file. Its stale handling is off: under it two
 * waiters can both become holders. The lock file is made after the owner file and removed before it, so that no lock
 * file is without an owner. Only the process that creates the claim named after a dead owner's token removes that
 * owner's lock. An owner's sign of life decides whether it is dead: a socket that listens as long as the owner's thread
 * runs, and that exists before the owner file. It works across containers and host names.
 *
 * @throws RunnerError `lock_timeout` naming the holder, `aborted`
 */
export async function acquireLock(file: string, options: LockOptions): Promise<Lock> {
  for (;;) {
    const living = () => livingOwner(file, options.operation);
    const { owner, life } = await living().catch(async (error: unknown) => {
      if (!isMissing(error)) throw error;
      await makeFolder(path.dirname(file), 'none'); // seldom: so it is not looked for each time
      return living();
    });
    try {
      const lock = await acquire(file, owner, life, options);
      if (lock) return lock;
      await life?.close();
    } catch (error) {
      await life?.close();
      throw error;
    }
  }
}

/**
 * Runs work under a lock. Throws the failure of the work; a failure of the release is named in its details. Work that has
 * succeeded still counts when the lock file cannot be removed: see {@link Lock.release}.
 *
 * @throws RunnerError as {@link acquireLock}, and what the work throws
 */
export async function withLock<T>(
  file: string,
  options: LockOptions,
  work: (lock: Lock) => Promise<T>,
): Promise<T> {
  return releasing(await acquireLock(file, options), work);
}

/** As {@link withLock}, with a lock that is held already. */
export async function releasing<L extends { release: () => Promise<void> }, T>(
  lock: L,
  work: (lock: L) => Promise<T>,
): Promise<T> {
  let answer: T;
  try {
    answer = await work(lock);
  } catch (failure) {
    await lock.release().catch((later: unknown) => withLater(failure, later));
    throw failure;
  }
  await lock.release().catch(() => undefined);
  return answer;
}

/** Undefined when somebody removed the sign of life while this one waited: an owner without it would be taken for dead. */
async function acquire(
  file: string,
  owner: LockOwner,
  life: Life | undefined,
  options: LockOptions,
): Promise<Lock | undefined> {
  const { signal, timeoutMs = DEFAULT_TIMEOUT_MS, refreshMs = REFRESH_MS, silenceMs = SILENCE_MS } = options;
  const deadline = performance.now() + timeoutMs;
  const ownerFile = `${file}.owner`;
  const takeover: Takeover = {
    ...{ file, ownerFile, self: owner, silenceMs, watch: new SilenceWatch() },
    removeGate: () => removeGate(file),
  };
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    throwIfAborted(signal, options.operation);
    if (pause > FIRST_PAUSE_MS && life && !(await life.refresh())) return undefined;
    if (await createOwnerFile(ownerFile, owner)) {
      let swept = Promise.resolve();
      const lock = heldLock(file, ownerFile, { owner, life, sweeping: () => swept }, refreshMs);
      try {
        // From here on only this owner removes it: any process that saw it missing has taken the lock, or will.
        if (life && !(await life.refresh())) {
          await lock.release();
          return undefined;
        }
        await createGate(file);
      } catch (error) {
        await lock.release().catch((later: unknown) => withLater(error, later));
        throw error;
      }
      swept = sweepLeftovers(file, owner); // beside the work, which does not touch what is swept
      return lock;
    }
    if (await removeIfDead(takeover)) {
      pause = FIRST_PAUSE_MS;
      continue;
    }
    if (performance.now() >= deadline && !(await isDying(takeover))) {
      throw await timedOut(file, ownerFile, options.operation, timeoutMs);
    }
    await delay(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => {
      throw signal ? abortError(signal, options.operation) : new Error('unreachable');
    });
  }
}

/** Who holds the lock at `file` now, if anyone does. */
export async function lockHolder(file: string): Promise<LockOwner | undefined> {
  return (await readOwner(`${file}.owner`)) ?? undefined;
}

/** Whether there is any file of the lock: it is held, or somebody who was killed left some. */
export async function hasLockFiles(file: string): Promise<boolean> {
  const name = path.basename(file);
  const names = await readdir(path.dirname(file)).catch(() => []);
  return names.some((found) => found === name || (found.startsWith(`${name}.`) && !isSetAside(found)));
}

async function createGate(file: string): Promise<void> {
  const lockfile = await loadLockfile();
  const make = () =>
    new Promise<void>((resolve, reject) => {
      // A fresh object each time: lockfile changes the one it is given.
      lockfile.lock(file, {}, (error: NodeJS.ErrnoException | null | undefined) => {
        // A lock file that exists already was left by a process that broke the order; it is ours now.
        if (!error || error.code === 'EEXIST') resolve();
        else reject(error);
      });
    });
  await whileGoing(file, make);
}

async function removeGate(file: string): Promise<void> {
  const lockfile = await loadLockfile();
  await new Promise<void>((resolve) => {
    lockfile.unlock(file, () => {
      resolve();
    });
  });
  // It tells no failure: once more after a passing error. A file that stays all the same is the next owner's.
  await whileGoing(file, () => unlink(file)).catch(() => undefined);
}

function heldLock(
  file: string,
  ownerFile: string,
  { owner, life, sweeping }: { owner: LockOwner; life: Life | undefined; sweeping: () => Promise<void> },
  refreshMs: number,
): Lock {
  const refresh = setInterval(() => {
    refreshOwnerFile(ownerFile).catch(() => undefined); // its loss is noticed at release
  }, refreshMs);
  refresh.unref();
  let released: Promise<void> | undefined;
  const release = () =>
    (released ??= (async () => {
      clearInterval(refresh);
      await sweeping();
      const isOwn = async () => (await readOwner(ownerFile))?.token === owner.token;
      try {
        if (!(await isOwn())) return;
        await removeGate(file);
        // Once more after a passing error.
        await removeOwnerFile(ownerFile, isOwn).catch(() => removeOwnerFile(ownerFile, isOwn));
      } catch (error) {
        abandon(owner.token, removeAbandoned(file, refreshMs));
        throw error;
      } finally {
        await life?.close(); // after the owner file: without it the owner is dead
      }
    })());
  const assertHeld = async () => {
    const now = await readOwner(ownerFile);
    if (released || now?.token !== owner.token) throw lockLost(file, owner, now);
  };
  const dispose = () => release().catch(() => undefined); // what must hear of a failure uses withLock()
  return { owner, assertHeld, release, [Symbol.asyncDispose]: dispose };
}

/**
 * Removes an abandoned lock whose file stayed, the same way as a takeover does. Without signs of life on the file
 * system, other processes see it as held by this process until it is removed.
 */
function removeAbandoned(file: string, againMs: number): () => Promise<void> {
  const attempt = async (): Promise<void> => {
    await new Promise((resolve) => void setTimeout(resolve, againMs).unref());
    try {
      const self = await newOwner('remove a lock that was given up');
      const watch = new SilenceWatch();
      const takeover = { file, ownerFile: `${file}.owner`, self, silenceMs: Infinity, watch };
      await removeIfDead({ ...takeover, removeGate: () => removeGate(file) });
    } catch {
      await attempt(); // the disk is still full, read-only or gone
    }
  };
  return attempt;
}

function lockLost(file: string, owner: LockOwner, now: LockOwner | null | undefined): RunnerError {
  return new RunnerError(
    'lock_lost',
    `Stopped to ${owner.operation}: ${file} is no longer held by this process but by ` +
      `${now === undefined ? 'nobody' : describeOwner(now)}. Repeat the operation`,
    { details: { path: file, holder: now ?? undefined }, retryable: true },
  );
}

async function timedOut(
  file: string,
  ownerFile: string,
  operation: string,
  timeoutMs: number,
): Promise<RunnerError> {
  const holder = await readOwner(ownerFile);
  return new RunnerError(
    'lock_timeout',
    `Could not ${operation}: ${file} was held for more than ${timeoutMs} ms by ${describeOwner(holder)}. ` +
      'Wait for it to end, or end that process',
    { details: { path: file, timeoutMs, holder: holder ?? undefined } },
  );
}
