import { mkdir, readdir, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { abortError, throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { livenessOf } from '../process/identity.js';
import {
  createOwnerFile,
  describeOwner,
  fingerprint,
  newOwner,
  readOwner,
  refreshOwnerFile,
  type LockOwner,
} from './lock-owner.js';
import { loadLockfile } from './lockfile-loader.js';

/** How to wait for a lock. */
export interface LockOptions extends OperationOptions {
  /** What it is held for; others read it while they wait. */
  operation: string;
  /** How long to wait for another holder. @defaultValue 30_000 */
  timeoutMs?: number;
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
/** A holder that cannot be seen from here and has not refreshed for this long, by our clock, is taken for dead. */
const SILENCE_MS = 60_000;
/** The time between the creation of an owner file and its being written, where that is two steps; longer: it died there. */
const UNWRITTEN_GRACE_MS = 2_000;
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
  const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const deadline = performance.now() + timeoutMs;
  const ownerFile = `${file}.owner`;
  const owner = await newOwner(options.operation);
  const watch = new SilenceWatch();
  await mkdir(path.dirname(file), { recursive: true });
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    throwIfAborted(signal, options.operation);
    if (await createOwnerFile(ownerFile, owner)) {
      const lock = held(file, ownerFile, owner);
      try {
        await createGate(file);
      } catch (error) {
        await lock.release();
        throw error;
      }
      await sweepClaims(file, owner);
      return lock;
    }
    if (await removeIfDead(file, ownerFile, owner, watch)) {
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

function held(file: string, ownerFile: string, owner: LockOwner): Lock {
  const refresh = setInterval(() => {
    refreshOwnerFile(ownerFile).catch(() => undefined); // its loss is noticed at release
  }, REFRESH_MS);
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

/** Removes the lock when its owner is dead; true when it may be free now. */
async function removeIfDead(
  file: string,
  ownerFile: string,
  self: LockOwner,
  watch: SilenceWatch,
): Promise<boolean> {
  const owner = await readOwner(ownerFile);
  if (owner) {
    const liveness = await livenessOf(owner);
    // One that is seen to live may be stopped, or busy for long: it keeps its lock.
    const isSilent = watch.isSilent(await fingerprint(ownerFile), SILENCE_MS);
    return (
      (liveness === 'dead' || (liveness === 'unknown' && isSilent)) &&
      withClaim(file, owner.token, self, () => removeOwned(file, ownerFile, owner.token))
    );
  }
  if (owner === undefined) return true;
  // Half an owner: its maker is between two steps, or died there.
  const mark = await fingerprint(ownerFile);
  if (mark === undefined) return true;
  if (!watch.isSilent(mark, UNWRITTEN_GRACE_MS)) return false;
  return withClaim(file, `unwritten-${mark.replace(/[^0-9]/g, '-')}`, self, async () => {
    if ((await fingerprint(ownerFile)) !== mark) return;
    await removeGate(file);
    await rm(ownerFile, { force: true });
  });
}

async function removeOwned(file: string, ownerFile: string, token: string): Promise<void> {
  if ((await readOwner(ownerFile))?.token !== token) return;
  await removeGate(file);
  await rm(ownerFile, { force: true });
}

/**
 * Runs `work` if the right to remove the owner of `token` can be claimed. The claim of a claimer that died is itself
 * removed under a claim, named after the claimer.
 */
async function withClaim(
  file: string,
  token: string,
  self: LockOwner,
  work: () => Promise<void>,
): Promise<boolean> {
  const claim = `${file}.claim-${token}`;
  if (!(await createOwnerFile(claim, self))) {
    const claimer = await readOwner(claim);
    if (!claimer || (await livenessOf(claimer)) !== 'dead') return false;
    return withClaim(file, claimer.token, self, async () => {
      if ((await readOwner(claim))?.token === claimer.token) await rm(claim, { force: true });
    });
  }
  try {
    await work();
  } finally {
    await rm(claim, { force: true });
  }
  return true;
}

/**
 * Removes claims that a claimer who was killed left. Whoever holds the lock may: the owners they are named after are gone,
 * and no token comes twice.
 */
async function sweepClaims(file: string, self: LockOwner): Promise<void> {
  const folder = path.dirname(file);
  const prefix = `${path.basename(file)}.claim-`;
  for (const name of await readdir(folder).catch(() => [])) {
    const isLeft = name.startsWith(prefix) && name !== `${prefix}${self.token}`;
    if (isLeft) await rm(path.join(folder, name), { force: true }).catch(() => undefined);
  }
}

/** Tells how long a mark has stayed the same, by this process's monotonic clock: clocks of two hosts differ. */
class SilenceWatch {
  #mark: string | undefined;
  #since = performance.now();

  isSilent(mark: string | undefined, forMs: number): boolean {
    if (mark !== this.#mark) {
      this.#mark = mark;
      this.#since = performance.now();
    }
    return mark !== undefined && performance.now() - this.#since >= forMs;
  }
}

function lockLost(file: string, owner: LockOwner, now: LockOwner | null | undefined): RunnerError {
  return new RunnerError(
    'lock_lost',
    `Stopped to ${owner.operation}: ${file} is no longer held by this process but by ` +
      `${now === undefined ? 'nobody' : describeOwner(now)}. Repeat the operation`,
    { details: { path: file, holder: now }, retryable: true },
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
    { details: { path: file, timeoutMs, holder } },
  );
}
