import { lstat, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { livenessOf } from '../process/identity.js';
import { ageOf } from './file-age.js';
import { setAside } from './set-aside.js';
import { lifeAt, removeSign } from '../process/life.js';
import {
  bootMark,
  createOwnerFile,
  fingerprint,
  isScratch,
  lifePrefix,
  readOwner,
  removeOwnerFile,
  type LockOwner,
} from './lock-owner.js';

/** Which lock is in the way, who wants it, and how its files are removed. */
export interface Takeover {
  /** The lock file; the owner's is beside it. */
  file: string;
  ownerFile: string;
  /** Who would be the next owner. */
  self: LockOwner;
  /** A holder that cannot be seen from here and has not refreshed for this long is taken for dead. */
  silenceMs: number;
  watch: SilenceWatch;
  /** Removes the lock file, which goes before the owner's. */
  removeGate: () => Promise<void>;
}

/** The time between the creation of an owner file and its being written, where that is two steps; longer: it died there. */
const UNWRITTEN_GRACE_MS = 2_000;

/**
 * Removes the lock when its owner is dead; true when it may be free now. The right to remove one particular owner is
 * claimed by an exclusive create named after that owner's token, so that of all who see it dead one removes it.
 */
export async function removeIfDead(takeover: Takeover): Promise<boolean> {
  const { ownerFile, watch } = takeover;
  const owner = await readOwner(ownerFile);
  if (owner === undefined) return true;
  const mark = await fingerprint(ownerFile);
  if (mark === undefined) return true;
  if (owner) {
    return (
      (await isGone(owner, mark, takeover)) &&
      withClaim(owner.token, takeover, () => removeOwned(owner, takeover))
    );
  }
  // Half an owner: its maker is between two steps, or died there.
  if (!watch.isUnchanged(mark, UNWRITTEN_GRACE_MS)) return false;
  return withClaim(tokenOfUnwritten(mark), takeover, () =>
    removeFiles(takeover, async () => (await fingerprint(ownerFile)) === mark),
  );
}

/**
 * Whether the owner will be taken for dead as soon as it has been watched for long enough: it has been silent for as long
 * as that takes. Who waits stays until then, so that all waiters take over after the same time, however short their own.
 */
export async function isDying({ ownerFile, silenceMs }: Takeover): Promise<boolean> {
  const owner = await readOwner(ownerFile);
  if (!owner || (await livenessOf(owner, path.dirname(ownerFile))) !== 'unknown') return false;
  return isSilent(ownerFile, silenceMs);
}

/** Owners of this process that gave their lock up and could not remove its file, by token, and such claims by path. */
const abandoned = new Set<string>();

/** This process does not hold what `key` stands for any more. `remove` ends when nothing is left of it. */
export function abandon(key: string, remove?: () => Promise<void>): void {
  abandoned.add(key);
  void remove?.().then(() => abandoned.delete(key));
}

/**
 * Removes what killed processes left: claims, and signs of life without a listener. Safe under the lock: the owners that
 * claims are named after are dead, no token is used twice, and a socket without a listener stays so.
 */
export async function sweepLeftovers(file: string, self: LockOwner): Promise<void> {
  const folder = path.dirname(file);
  const claims = `${path.basename(file)}.claim-`;
  const lives = lifePrefix(file);
  for (const name of await readdir(folder).catch(() => [])) {
    if (isScratch(name, path.basename(file))) {
      await removeOld(path.join(folder, name));
      continue;
    }
    const isLeft = name.startsWith(claims)
      ? name !== `${claims}${self.token}`
      : name.startsWith(lives) &&
        name !== self.life?.name &&
        (await isLeftLife(folder, name, { lives, self }));
    if (isLeft) await removeSign(path.join(folder, name)).catch(() => undefined);
  }
}

/** A file on its way to or from its name is there for a moment. */
async function removeOld(file: string): Promise<void> {
  const age = await ageOf(file);
  if (age !== undefined && age >= LEFT_MS) await rm(file, { force: true }).catch(() => undefined);
}

/** Whether nobody shows this sign of life. One of another machine cannot be asked: its waiter touches it while it waits. */
async function isLeftLife(
  folder: string,
  name: string,
  { lives, self }: { lives: string; self: LockOwner },
): Promise<boolean> {
  if (!self.life || (await lifeAt(folder, { ...self.life, name })) !== 'dead') return false;
  if (name.startsWith(lives + bootMark(self))) return true;
  const age = await ageOf(path.join(folder, name), 'ctimeMs');
  return age !== undefined && age >= LEFT_MS;
}

const LEFT_MS = 60_000;

/** Tells how long a mark has stayed the same, by this process's monotonic clock. */
export class SilenceWatch {
  #mark: string | undefined;
  #since = performance.now();

  isUnchanged(mark: string, forMs: number): boolean {
    if (mark !== this.#mark) {
      this.#mark = mark;
      this.#since = performance.now();
    }
    return performance.now() - this.#since >= forMs;
  }
}

async function isGone(
  owner: LockOwner,
  mark: string,
  { ownerFile, silenceMs, watch }: Takeover,
): Promise<boolean> {
  if (abandoned.has(owner.token)) return true;
  const liveness = await livenessOf(owner, path.dirname(ownerFile));
  // It must be seen to stay silent for a while too: the clock of the file system may be set while we look at it.
  const isUnchanged = watch.isUnchanged(mark, silenceMs / 4);
  // An owner that is seen alive may be stopped, or busy for long: it keeps its lock.
  if (liveness !== 'unknown') return liveness === 'dead';
  return isUnchanged && (await isSilent(ownerFile, silenceMs));
}

/** By the time of the last change, which refreshing sets to the file system's own clock, whatever time it is given. */
async function isSilent(file: string, silenceMs: number): Promise<boolean> {
  const age = await ageOf(file, 'ctimeMs');
  return age !== undefined && age >= silenceMs;
}

/**
 * Runs `work` if the right to remove the owner of `token` can be claimed. The claim of a claimer that died is itself
 * removed under a claim, named after the claimer.
 */
async function withClaim(token: string, takeover: Takeover, work: () => Promise<unknown>): Promise<boolean> {
  const claim = `${takeover.file}.claim-${token}`;
  if (!(await createOwnerFile(claim, takeover.self))) {
    const claimer = await readOwner(claim);
    const mark = await fingerprint(claim);
    if (claimer === undefined || mark === undefined) return false; // just given back
    const liveness = claimer ? await livenessOf(claimer, path.dirname(claim)) : 'unknown';
    // A claim is held for a moment and never refreshed.
    const isLeft =
      abandoned.has(claim) ||
      liveness === 'dead' ||
      (liveness === 'unknown' && (await isSilent(claim, takeover.silenceMs)));
    if (!isLeft) return false;
    return withClaim(claimer?.token ?? tokenOfUnwritten(mark), takeover, async () => {
      const isSame = async () =>
        (await readOwner(claim))?.token === claimer?.token && (await fingerprint(claim)) === mark;
      await removeOwnerFile(claim, isSame);
    });
  }
  try {
    await work();
  } finally {
    // A claim that stays blocks nothing: the next holder of the lock removes it.
    const isOwn = async () => (await readOwner(claim))?.token === takeover.self.token;
    await removeOwnerFile(claim, isOwn).catch(() => {
      abandon(claim);
    });
  }
  return true;
}

async function removeOwned(owner: LockOwner, takeover: Takeover): Promise<void> {
  const isSame = async () => (await readOwner(takeover.ownerFile))?.token === owner.token;
  if (!(await removeFiles(takeover, isSame))) return;
  if (process.platform === 'win32' || !owner.life) return;
  await removeSign(path.join(path.dirname(takeover.file), path.basename(owner.life.name)));
}

/** False when the owner is another than the meant one by now. */
async function removeFiles(
  { ownerFile, removeGate }: Takeover,
  isMeant: () => Promise<boolean>,
): Promise<boolean> {
  if (!(await isMeant())) return false;
  await removeGate();
  // A folder in the place of the file is not ours: it is put aside.
  if ((await lstat(ownerFile).catch(() => undefined))?.isDirectory()) await setAside(ownerFile);
  else await removeOwnerFile(ownerFile, isMeant);
  return true;
}

function tokenOfUnwritten(mark: string): string {
  return `unwritten-${mark.replace(/[^0-9]/g, '-')}`;
}
