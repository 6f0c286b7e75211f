import { randomUUID } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { livenessOf, ownIdentity, type ProcessIdentity } from '../process/identity.js';

/** Who holds a lock, as its owner file says. */
export interface LockOwner extends ProcessIdentity {
  /** Random; tells one acquisition from the next. */
  token: string;
  /** What it holds the lock for. */
  operation: string;
  /** ISO 8601, UTC. */
  acquiredAt: string;
}

/** A fresh owner record for this process. */
export async function newOwner(operation: string): Promise<LockOwner> {
  return {
    ...(await ownIdentity()),
    token: randomUUID(),
    operation,
    acquiredAt: new Date().toISOString(),
  };
}

/** Creates the owner file; false when there is one already. */
export async function createOwnerFile(file: string, owner: LockOwner): Promise<boolean> {
  let handle;
  try {
    handle = await open(file, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    await handle.writeFile(JSON.stringify(owner));
  } finally {
    await handle.close();
  }
  return true;
}

/** The owner, `undefined` when there is no file, `null` when it is half written or garbage. */
export async function readOwner(file: string): Promise<LockOwner | null | undefined> {
  try {
    const owner = JSON.parse(await readFile(file, 'utf8')) as LockOwner | null;
    return typeof owner?.token === 'string' && typeof owner.pid === 'number' ? owner : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** One look at a file: which one it is, and when it was last refreshed. */
export async function fingerprint(file: string): Promise<string | undefined> {
  try {
    const { ino, mtimeMs } = await stat(file);
    return `${ino}-${mtimeMs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether this owner's process is proven dead. */
export async function isDead(owner: LockOwner): Promise<boolean> {
  return (await livenessOf(owner)) === 'dead';
}

/** The holder in words, for an error message. */
export function describeOwner(owner: LockOwner | null | undefined): string {
  if (!owner) return 'a process that has not said who it is';
  return `process ${owner.pid} on ${owner.host} (${owner.operation}, since ${owner.acquiredAt})`;
}
