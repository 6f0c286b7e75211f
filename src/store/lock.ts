import { readdir, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { abortError, throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { makeFolder } from './atomic-file.js';
import {
  createOwnerFile,
  describeOwner,
  newOwner,
  readOwner,
  refreshOwnerFile,
  type LockOwner,
} from './lock-owner.js';
import { removeIfDead, SilenceWatch, sweepClaims } from './lock-takeover.js';
import { loadLockfile } from './lockfile-loader.js';

/** How to wait for a lock. */
export interface LockOptions extends OperationOptions {
  /** What it is held for; others read it while they wait. */
  operation: string;
  /** How long to wait for another holder. @defaultValue 30_000 */
  timeoutMs?: number;
  /** How often a holder says that it lives. @defaultValue 5_000 */
  refreshMs?: number;
  /**
   * A holder on another host that has not said so for this long is taken for dead, once it has been watched for a
   * quarter of it. @defaultValue 60_000
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
  /** Gives the lock back; safe to call twice. */
  release(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const REFRESH_MS = 5_000;
/** A quarter of it must fit into the time a waiter waits: else none would ever take over. */
const SILENCE_MS = 60_000;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/**
 * Takes the lock at `file`, waiting for another holder.
 *
 * What decides is the owner file, created exclusively and saying from its first instant on whose it is. `lockfile`
 * creates the lock file beside it, for everybody who looks for one, without its stale handling, under which two waiters
 * can both end up as holders. The lock file is made after the owner file and removed before it, so that there is never
 * one that belongs to nobody. The lock of a dead owner is removed by whoever creates the claim named after that owner's
 * token, and by nobody else.
 *
 * @throws RunnerError `lock_timeout` naming the holder, `aborted`
 */
export async function acquireLock(file: string, options: LockOptions): Promise<Lock> {
  const { signal, timeoutMs = DEFAULT_TIMEOUT_MS, refreshMs = REFRESH_MS, silenceMs = SILENCE_MS } = options;
  const deadline = performance.now() + timeoutMs;
  const ownerFile = `${file}.owner`;
  const owner = await newOwner(options.operation);
  const takeover = {
    ...{ file, ownerFile, self: owner, silenceMs, watch: new SilenceWatch() },
    removeGate: () => removeGate(file),
  };
  await makeFolder(path.dirname(file), 'none');
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    throwIfAborted(signal, options.operation);
    if (await createOwnerFile(ownerFile, owner)) {
      const lock = held(file, ownerFile, owner, refreshMs);
      try {
        await createGate(file);
      } catch (error) {
        await lock.release();
        throw error;
      }
      await sweepClaims(file, owner);
      return lock;
    }
    if (await removeIfDead(takeover)) {
      pause = FIRST_PAUSE_MS;
      continue;
    }
    if (performance.now() >= deadline) throw await timedOut(file, ownerFile, options.operation, timeoutMs);
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
  return names.some((found) => found === name || found.startsWith(`${name}.`));
}

async function createGate(file: string): Promise<void> {
  const lockfile = loadLockfile();
  await new Promise<void>((resolve, reject) => {
    // A fresh object each time: lockfile changes the one it is given.
    lockfile.lock(file, {}, (error: NodeJS.ErrnoException | null | undefined) => {
      // One that is there already was left by somebody who did not keep to the order; it is ours now.
      if (!error || error.code === 'EEXIST') resolve();
      else reject(error);
    });
  });
}

async function removeGate(file: string): Promise<void> {
  const lockfile = loadLockfile();
  await new Promise<void>((resolve) => {
    lockfile.unlock(file, () => {
      resolve();
    });
  });
  // It tells no failure: once more after a passing error. A file that stays all the same is the next owner's.
  await rm(file, { force: true }).catch(() => undefined);
}

function held(file: string, ownerFile: string, owner: LockOwner, refreshMs: number): Lock {
  const refresh = setInterval(() => {
    refreshOwnerFile(ownerFile).catch(() => undefined); // its loss is noticed at release
  }, refreshMs);
  refresh.unref();
  let released: Promise<void> | undefined;
  const release = () =>
    (released ??= (async () => {
      clearInterval(refresh);
      if ((await readOwner(ownerFile))?.token !== owner.token) return;
      await removeGate(file);
      // Once more after a passing error: a lock that stays would stand in everybody's way until this process ends.
      await unlink(ownerFile).catch(() => rm(ownerFile, { force: true }));
    })());
  const assertHeld = async () => {
    const now = await readOwner(ownerFile);
    if (released || now?.token !== owner.token) throw lockLost(file, owner, now);
  };
  return { owner, assertHeld, release, [Symbol.asyncDispose]: release };
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
