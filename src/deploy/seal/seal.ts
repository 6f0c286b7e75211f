import { createHash } from 'node:crypto';
import { chmod, lchown, open, readlink } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { INVENTORY_FILE, type Inventory } from '../../registry/inventory.js';
import { VERSION_MARKER } from '../../registry/registry-file.js';
import type { RegistryEntry } from '../../registry/types.js';
import {
  openToSync,
  readJson,
  syncFile,
  syncFolder,
  writeFileAtomic,
  type Durability,
} from '../../store/atomic-file.js';
import { errnoCode, isMissing } from '../../store/errno.js';
import { hashOpen } from '../../store/hash-file.js';
import { ownerFor, sealedFileMode, sealedFolderMode, type ResolvedPermissions } from './permissions.js';
import { eachOf } from './pool.js';
import { walkTree, type TreeNode } from './tree.js';

export interface SealOptions extends OperationOptions {
  permissions: ResolvedPermissions;
  durability: Durability;
  /** Hashes that are known already, by path relative to `root`: these files are not read again. */
  known?: ReadonlyMap<string, string>;
  /** Whether known files that environments share have been synced before. */
  sharedAreDurable?: boolean;
  /** Part of the work that is done, by bytes. */
  onBytes?: (doneBytes: number) => void;
  /** Tests give their own. @defaultValue that of this process */
  platform?: NodeJS.Platform;
}

/** Files in work at once: enough to keep a disk's queue filled while it syncs. */
const WIDTH = 8;

/**
 * Hashes everything below `root`, gives it its mode and owner and, with full durability, makes sure that it is on the
 * disk. That is waited for when all files have their modes: the first wait commits the journal of the file system for all
 * of them, where a mode that is given in between would need a commit of its own. `root` itself stays writable: a folder that its owner cannot write cannot be renamed,
 * and a rename publishes and removes a version.
 */
export async function sealTree(root: string, options: SealOptions): Promise<Inventory & { bytes: number }> {
  const { permissions, durability, signal, platform = process.platform } = options;
  const inventory: Inventory = { format: 2, files: emptyRecord(), links: emptyRecord() };
  const folders: TreeNode[] = [];
  const written: string[] = [];
  // What may not be opened again is waited for while it is open: Windows syncs only what is open for writing.
  const isReadable = !permissions.seal || (permissions.fileMode & 0o400) !== 0;
  const mayOpenAgain = isReadable && platform !== 'win32';
  let bytes = 0;
  await eachOf(walkTree(root, { signal }), WIDTH, async (node) => {
    throwIfAborted(signal, 'sealing');
    const { relative, stats } = node;
    if (node.kind === 'folder') {
      folders.push(node);
      return;
    }
    // Mode and owner of a file that environments share are not this version's to set.
    const isShared = node.kind === 'file' && stats.nlink > 1;
    const owner = isShared ? undefined : ownerFor(permissions, stats);
    if (owner) await lchown(node.path, owner.uid, owner.gid);
    if (node.kind === 'link') {
      inventory.links[relative] = await readlink(node.path);
      return;
    }
    bytes += stats.size;
    const known = options.known?.get(relative);
    const isOnDisk = isShared && known !== undefined && options.sharedAreDurable === true;
    const isLater = mayOpenAgain && !owner;
    if (durability === 'full' && !isOnDisk && isLater) written.push(node.path);
    const sha256 = await sealFile(node, {
      durability: isOnDisk || isLater ? 'none' : durability,
      mode: isShared ? undefined : sealedFileMode(permissions, stats),
      ...{ known, signal, isShared, platform },
    });
    inventory.files[relative] = [stats.size, sha256];
    options.onBytes?.(bytes);
  });
  await eachOf(written, WIDTH, async (file) => {
    throwIfAborted(signal, 'sealing');
    const handle = await open(file, 'r');
    try {
      await syncFile(handle);
    } finally {
      await handle.close();
    }
  });
  await sealFolders(folders, options);
  // The inventory and the marker are still to be written here.
  if (permissions.seal) await chmod(root, permissions.folderMode | 0o700);
  return { ...inventory, bytes };
}

/** Writes the inventory, then the marker that says: complete. */
export async function writeSeal(
  root: string,
  entry: RegistryEntry,
  inventory: Inventory,
  durability: Durability,
): Promise<RegistryEntry> {
  await writeFileAtomic(path.join(root, INVENTORY_FILE), inventoryText(inventory), durability);
  const sealed = sealEntry(entry, inventory);
  await writeFileAtomic(path.join(root, VERSION_MARKER), `${JSON.stringify(sealed, null, 2)}\n`, durability);
  return sealed;
}

/** The entry with the hash of its inventory. */
export function sealEntry(entry: RegistryEntry, inventory: Inventory): RegistryEntry {
  return {
    ...entry,
    inventory_sha256: createHash('sha256').update(inventoryText(inventory)).digest('hex'),
  };
}

function inventoryText({ format, files, links }: Inventory): string {
  return `${JSON.stringify({ format, files: sorted(files), links: sorted(links) }, null, 1)}\n`;
}

/** The entry a complete version holds; undefined when there is no whole marker. */
export async function readMarker(root: string): Promise<RegistryEntry | undefined> {
  try {
    return (await readJson(path.join(root, VERSION_MARKER))) as RegistryEntry | undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isMissing(error) || errnoCode(error) === 'EISDIR') return undefined;
    throw error;
  }
}

async function sealFile(
  node: TreeNode,
  o: OperationOptions & {
    durability: Durability;
    mode: number | undefined;
    known: string | undefined;
    isShared: boolean;
    platform: NodeJS.Platform;
  },
): Promise<string> {
  if (o.known !== undefined && o.mode === undefined && o.durability === 'none') return o.known;
  // What environments share was synced in the store of wheels, before it was marked.
  const isOnlyRead = o.isShared && o.platform === 'win32' && (node.stats.mode & 0o200) === 0;
  // A copy of a sealed file is marked as that is (CopyFile).
  const { handle, wasMarked } = isOnlyRead
    ? { handle: await open(node.path, 'r'), wasMarked: false }
    : await openToSync(node.path, node.stats.mode, o.platform);
  try {
    const sha256 = o.known ?? (await hashOpen(handle, o));
    const mode = o.mode ?? (wasMarked ? 0o444 : undefined);
    if (mode !== undefined) await handle.chmod(mode);
    if (o.durability === 'full' && !isOnlyRead) await syncFile(handle);
    return sha256;
  } finally {
    await handle.close();
  }
}

async function sealFolders(folders: readonly TreeNode[], options: SealOptions): Promise<void> {
  const { permissions, durability } = options;
  const byDepth = new Map<number, TreeNode[]>();
  for (const folder of folders) {
    const depth = folder.relative.split('/').length;
    const level = byDepth.get(depth);
    if (level) level.push(folder);
    else byDepth.set(depth, [folder]);
  }
  // Children first: in a folder that is sealed nothing can be changed any more.
  for (const [, level] of [...byDepth].sort(([a], [b]) => b - a)) {
    await eachOf(level, WIDTH, async ({ path: folder, relative, stats }) => {
      const owner = ownerFor(permissions, stats);
      if (owner) await lchown(folder, owner.uid, owner.gid);
      const mode = sealedFolderMode(permissions, relative);
      if (durability === 'none' && (mode === undefined || (stats.mode & 0o777) === mode)) return;
      await syncFolder(folder, durability);
      if (mode !== undefined) await chmod(folder, mode);
    });
  }
}

/** Without prototype: `__proto__` is a file name like any other. */
function emptyRecord<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

function sorted<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
