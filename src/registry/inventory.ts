import { createHash } from 'node:crypto';
import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { orNone } from '../store/errno.js';
import type { RegistryEntry } from './types.js';

/** Name of the list of everything in a deployed version, beside its marker. */
export const INVENTORY_FILE = '.procvision-files.json';

/** What was sealed into a version. */
export interface Inventory {
  /** 1: without byte code, which Python wrote by itself. 2: everything. */
  format: 1 | 2;
  /** Size in bytes and SHA-256 by path relative to the version, with `/`. */
  files: Record<string, [sizeBytes: number, sha256: string]>;
  /** Target of each symbolic link. */
  links: Record<string, string>;
}

/** Text of a version's file list, if it is as sealed. Undefined when it was changed: it then proves nothing. */
export async function readInventory(root: string, entry: RegistryEntry): Promise<Inventory | undefined> {
  const text = await readFile(path.join(root, INVENTORY_FILE));
  const sha256 = createHash('sha256').update(text).digest('hex');
  return sha256 === entry.inventory_sha256 ? (JSON.parse(text.toString('utf8')) as Inventory) : undefined;
}

/**
 * The first thing that a version lacks, or has in another size, of what was sealed into it; undefined when it is all
 * there. Contents are not read: hashing everything that is deployed would take minutes.
 */
export async function firstLack(root: string, entry: RegistryEntry): Promise<string | undefined> {
  const inventory = await readInventory(root, entry).catch(orNone(undefined));
  if (!inventory) return INVENTORY_FILE;
  for (const [file, [size]] of Object.entries(inventory.files)) {
    const stats = await lstat(path.join(root, file)).catch(orNone(undefined));
    if (stats?.size !== size) return file;
  }
  for (const link of Object.keys(inventory.links)) {
    if (!(await lstat(path.join(root, link)).catch(orNone(undefined)))) return link;
  }
  return undefined;
}
