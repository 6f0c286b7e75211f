import { chmod, copyFile, lstat, mkdir, readlink, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { VersionRef } from '../../package/types.js';
import { INVENTORY_FILE, readInventory } from '../../registry/inventory.js';
import type { RegistryEntry } from '../../registry/types.js';
import { VERSION_MARKER } from '../../registry/registry-file.js';
import { archivedVersions, dropArchive } from '../prune/archives.js';
import { hashFile } from '../../store/hash-file.js';
import { readMarker } from '../seal/seal.js';
import { walkTree } from '../seal/tree.js';
import { archiveFolder } from '../transaction/transaction.js';
import { installOpened, type InstallContext, type InstallOutcome } from './install.js';

/** Written anew when a version is sealed again. */
const SEAL_FILES: ReadonlySet<string> = new Set([INVENTORY_FILE, VERSION_MARKER]);

/**
 * Deploys a version again from what a prune archived of it: its source and wheels, held against what was sealed into it,
 * in a new environment. The archive goes once the version is registered.
 *
 * @throws RunnerError `not_found`, `store_damaged` for an archive that is not as it was sealed, and as an install
 */
export async function restorePackage(
  { name, version }: VersionRef,
  context: InstallContext,
): Promise<InstallOutcome> {
  const { registry, signal, onStage } = context;
  onStage('inspect');
  const folder = archiveFolder(registry.layout, name, version);
  const entry = await readMarker(folder);
  if (!entry) throw await notArchived(context, { name, version });
  await checkAsSealed(folder, entry, { signal });
  const { sha256 = '' } = entry;
  const opened = await context.steps.openFolder(folder, { signal });
  const outcome = await installOpened(
    {
      ...opened,
      unpack: async (target, { onProgress }) => {
        const hashes = await copyTree(folder, target, { signal, onProgress });
        return { sha256, hashes };
      },
    },
    { ...context, ownFiles: context.ownFiles ?? entry.own_files },
  );
  // The version is registered: an archive that cannot be removed now goes with a later prune.
  await dropArchive(registry.layout, { name, version }).catch(() => undefined);
  return outcome;
}

/** Every file that was sealed, but for the environment, which is made anew. */
async function checkAsSealed(folder: string, entry: RegistryEntry, o: OperationOptions): Promise<void> {
  const inventory = await readInventory(folder, entry).catch(() => undefined);
  if (!inventory) throw damaged(folder, entry, INVENTORY_FILE);
  for (const [file, [, sha256]] of Object.entries(inventory.files)) {
    if (file.startsWith('venv/')) continue;
    const found = await hashFile(path.join(folder, file), o).catch(() => undefined);
    if (found !== sha256) throw damaged(folder, entry, file);
  }
}

async function copyTree(
  from: string,
  to: string,
  { signal, onProgress }: OperationOptions & { onProgress: (done: number, total: number) => void },
): Promise<ReadonlyMap<string, string>> {
  await mkdir(to, { recursive: true });
  const nodes = [];
  for await (const node of walkTree(from, { signal })) nodes.push(node);
  for (const [index, node] of nodes.entries()) {
    signal?.throwIfAborted();
    const target = path.join(to, node.relative);
    if (node.kind === 'folder') await mkdir(target);
    else if (node.kind === 'link') await symlink(await readlink(node.path), target);
    else if (!SEAL_FILES.has(node.relative)) {
      await copyFile(node.path, target);
      // It has the mode of what was sealed: Windows would let nobody write, replace or remove it before it is sealed again.
      await chmod(target, (node.stats.mode & 0o777) | 0o200);
    }
    onProgress(index + 1, nodes.length);
  }
  return new Map();
}

function damaged(folder: string, { name, version }: VersionRef, file: string): RunnerError {
  return new RunnerError(
    'store_damaged',
    `The archive of ${name} ${version} is not as it was sealed: ${path.join(folder, file)}. Install the version from its package`,
    { details: { name, version, path: path.join(folder, file) } },
  );
}

async function notArchived(
  { registry }: InstallContext,
  { name, version }: VersionRef,
): Promise<RunnerError> {
  const isThere = await lstat(archiveFolder(registry.layout, name, version)).catch(() => undefined);
  if (isThere)
    return damaged(archiveFolder(registry.layout, name, version), { name, version }, VERSION_MARKER);
  const others = (await archivedVersions(registry.layout)).map((one) => `${one.name} ${one.version}`);
  const known = others.length > 0 ? `; archived are ${others.slice(0, 20).join(', ')}` : '';
  return new RunnerError(
    'not_found',
    `${name} ${version} is not archived: install it from its package${known}`,
    { details: { name, version } },
  );
}
