import { createHash } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import type { VersionRef } from '../../package/types.js';
import { applyRewrites, findMove, planRewrites, type Rewrite } from '../../python/environments/relocate.js';
import { INVENTORY_FILE, type Inventory } from '../../registry/inventory.js';
import type { Registry } from '../../registry/registry.js';
import type { RegistryEntry } from '../../registry/types.js';
import type { Durability } from '../../store/atomic-file.js';
import { isMissing } from '../../store/errno.js';
import { hashFile } from '../../store/hash-file.js';
import { readMarker, sealEntry, writeSeal } from '../seal/seal.js';
import { releasing } from '../../store/lock.js';
import type { Attempt } from './attempt.js';
import { tryLockVersion } from './version-lock.js';
import { findBaseFault } from '../../python/environments/base-fault.js';

/**
 * Puts right the environments of versions whose store was moved: scripts, activation and links name the new place, and
 * the inventory knows them so. Algorithms run without it; their scripts do not, nor does an interpreter that came with
 * the package.
 *
 * A version that another process works on is left to that one.
 */
export async function repairMoved(
  registry: Registry,
  durability: Durability,
  { attempt, dryRun, signal }: OperationOptions & { attempt: Attempt; dryRun?: boolean },
): Promise<VersionRef[]> {
  const repaired: VersionRef[] = [];
  for (const entry of await registry.list({}, { signal })) {
    throwIfAborted(signal, 'recovery');
    const { name, version } = entry;
    const environment = registry.layout.venv(name, version);
    const isRepaired = await attempt(environment, async () => {
      const base = await findBaseFault(environment);
      if (base) throw withoutBase(name, version, base.path);
      const found = await findMove(environment);
      if (!found || dryRun) return found !== undefined;
      const lock = await tryLockVersion(registry.layout, name, version, { operation: 'recover', signal });
      return lock !== undefined && releasing(lock, () => repairOne(registry, entry, found, durability));
    });
    if (isRepaired) repaired.push({ name, version });
  }
  return repaired;
}

async function repairOne(
  registry: Registry,
  entry: RegistryEntry,
  { venv, move }: NonNullable<Awaited<ReturnType<typeof findMove>>>,
  durability: Durability,
): Promise<boolean> {
  try {
    const rewrites = await planRewrites(venv, move);
    await reseal(registry, entry, rewrites, durability);
    // Last, and of it `activate` at the very last: cut off before, all of this is done again.
    await applyRewrites(rewrites);
    return true;
  } catch (error) {
    if (!isMissing(error)) throw error; // verify() names the parts that are missing
    return false;
  }
}

/**
 * Enters what the files will be into inventory, marker and registry, the registry first: an inventory that agrees with
 * either of the other two is a true one, wherever this is cut off.
 */
async function reseal(
  registry: Registry,
  entry: RegistryEntry,
  rewrites: readonly Rewrite[],
  durability: Durability,
): Promise<void> {
  const root = registry.layout.deployed(entry.name, entry.version);
  const inventory = await trueInventory(root, entry);
  if (!inventory) return;
  for (const { path: file, to } of rewrites) {
    const relative = path.relative(root, file).split(path.sep).join('/');
    if (!Buffer.isBuffer(to)) {
      if (inventory.links[relative] === (await readlink(file))) inventory.links[relative] = to.target;
      continue;
    }
    // What was changed by somebody else stays a drift.
    if (inventory.files[relative]?.[1] !== (await hashFile(file))) continue;
    inventory.files[relative] = [to.length, createHash('sha256').update(to).digest('hex')];
  }
  const sealed = sealEntry(entry, inventory);
  if (sealed.inventory_sha256 !== entry.inventory_sha256) await registry.register(sealed);
  await writeSeal(root, sealed, inventory, durability);
}

async function trueInventory(root: string, entry: RegistryEntry): Promise<Inventory | undefined> {
  const text = await readFile(path.join(root, INVENTORY_FILE));
  const hash = createHash('sha256').update(text).digest('hex');
  const marker = await readMarker(root);
  const isTrue = hash === entry.inventory_sha256 || hash === marker?.inventory_sha256;
  return isTrue ? (JSON.parse(text.toString('utf8')) as Inventory) : undefined;
}

function withoutBase(name: string, version: string, python: string): RunnerError {
  return new RunnerError(
    'incompatible_python',
    `${name} ${version} cannot run: its environment was made from ${python}, which is not there any more. Install that ` +
      'Python again, or install the version anew with force',
    { details: { name, version, path: python } },
  );
}
