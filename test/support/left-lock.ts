import { writeFile } from 'node:fs/promises';
import { createOwnerFile, newOwner } from '../../src/store/lock-owner.js';

/** Puts a claim there, or an owner, as its maker does; it cannot be seen from here, or is dead. */
export async function leaveRecord(file: string, operation: string, change: object): Promise<void> {
  await createOwnerFile(file, { ...(await newOwner(operation)), ...change });
}

/** Puts there what a holder that cannot be seen from here, or is dead, has left. */
export async function leaveLock(file: string, change: object): Promise<void> {
  await leaveRecord(`${file}.owner`, 'left', change);
  await writeFile(file, '');
}
