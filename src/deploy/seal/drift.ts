import { readlink } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { INVENTORY_FILE, readInventory, type Inventory } from '../../registry/inventory.js';
import { VERSION_MARKER } from '../../registry/registry-file.js';
import { isMissing } from '../../store/errno.js';
import type { RegistryEntry } from '../../registry/types.js';
import { pythonIn } from '../../python/environments/environment-paths.js';
import { findBaseFault } from '../../python/environments/base-fault.js';
import { wrongByteCode } from './byte-code.js';
import { eachOf } from './pool.js';
import { hashFile } from '../../store/hash-file.js';
import { isBytecode, walkTree, type TreeNode } from './tree.js';
import type { DriftedFile, DriftReport } from '../types.js';

const WIDTH = 8;

/** Compares a deployed version with what was sealed into it: every file is hashed again. */
export async function findDrift(
  root: string,
  entry: RegistryEntry,
  options: OperationOptions = {},
): Promise<DriftReport> {
  const startedAt = performance.now();
  const drift: DriftedFile[] = [];
  const report = (files: number, bytes: number): DriftReport => ({
    name: entry.name,
    version: entry.version,
    intact: drift.length === 0,
    files,
    bytes,
    drift: drift.sort((a, b) => (a.path < b.path ? -1 : 1)),
    durationMs: performance.now() - startedAt,
  });
  const inventory = await provenInventory(root, entry, drift);
  if (!inventory) return report(0, 0);
  const awaited = new Set([...Object.keys(inventory.files), ...Object.keys(inventory.links)]);
  const byteCode: string[] = [];
  let files = 0;
  let bytes = 0;
  await eachOf(existingTree(root, options), WIDTH, async (node) => {
    if (node.kind === 'folder' || isOwn(node.relative)) return;
    files += 1;
    const isKnown = awaited.delete(node.relative);
    const isOfPython = inventory.format === 1 && isBytecode(node.relative) && node.relative.endsWith('.pyc');
    if (!isKnown && node.stats.isFile() && isOfPython) {
      byteCode.push(node.relative);
      return;
    }
    if (node.kind === 'file') bytes += node.stats.size;
    if (!isKnown) drift.push({ path: node.relative, kind: 'added' });
    else if (!(await isAsSealed(node, inventory, options))) {
      drift.push({ path: node.relative, kind: 'changed' });
    }
  });
  const environment = path.join(root, 'venv');
  const base = await findBaseFault(environment, { version: entry.python_version, signal: options.signal });
  if (base) drift.push(base);
  const python = pythonIn(environment);
  for (const file of await wrongByteCode(root, python, byteCode, options))
    drift.push({ path: file, kind: 'added' });
  for (const missing of awaited) drift.push({ path: missing, kind: 'missing' });
  return report(files, bytes);
}

async function provenInventory(
  root: string,
  entry: RegistryEntry,
  drift: DriftedFile[],
): Promise<Inventory | undefined> {
  try {
    const inventory = await readInventory(root, entry);
    if (!inventory) drift.push({ path: INVENTORY_FILE, kind: 'changed' });
    return inventory;
  } catch (error) {
    if (!isMissing(error)) throw error;
    drift.push({ path: INVENTORY_FILE, kind: 'missing' });
    return undefined;
  }
}

async function isAsSealed(
  { path: file, relative, kind, stats }: TreeNode,
  { files, links }: Inventory,
  options: OperationOptions,
): Promise<boolean> {
  if (kind === 'link') return links[relative] === (await readlink(file));
  const [size, sha256] = files[relative] ?? [];
  // A pipe in the place of an empty file would be waited for.
  return stats.isFile() && stats.size === size && (await hashFile(file, options)) === sha256;
}

async function* existingTree(root: string, options: OperationOptions): AsyncGenerator<TreeNode> {
  try {
    yield* walkTree(root, options);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isOwn(relative: string): boolean {
  return relative === INVENTORY_FILE || relative === VERSION_MARKER;
}
