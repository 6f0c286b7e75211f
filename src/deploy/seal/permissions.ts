import type { Stats } from 'node:fs';
import { isBytecode } from './tree.js';
import type { Permissions } from '../types.js';

const OWNER_MAY_EXECUTE = 0o100;
const EVERYONE_MAY_READ = 0o444;
const EVERYONE_MAY_WRITE = 0o222;

/** Permissions with their defaults filled in. */
export type ResolvedPermissions = Required<Pick<Permissions, 'seal' | 'fileMode' | 'folderMode'>> &
  Pick<Permissions, 'uid' | 'gid'>;

export function resolvePermissions(permissions: Permissions = {}): ResolvedPermissions {
  const { seal = true, fileMode = 0o444, folderMode = 0o755, uid, gid } = permissions;
  return { seal, fileMode, folderMode, uid, gid };
}

/** Mode a file gets, or undefined where it is right already. */
export function sealedFileMode({ seal, fileMode }: ResolvedPermissions, stats: Stats): number | undefined {
  if (!seal) return undefined;
  // Read permission on an executable implies execute permission.
  const execute = stats.mode & OWNER_MAY_EXECUTE ? (fileMode & EVERYONE_MAY_READ) >> 2 : 0;
  const mode = fileMode | execute;
  return (stats.mode & 0o777) === mode ? undefined : mode;
}

/**
 * Mode a folder gets, or undefined where it keeps its own. No algorithm adds byte code to that of another version, also
 * where the system gives no namespaces.
 */
export function sealedFolderMode(
  { seal, folderMode }: ResolvedPermissions,
  relative: string,
): number | undefined {
  if (!seal) return undefined;
  return isBytecode(relative) ? folderMode & ~EVERYONE_MAY_WRITE : folderMode;
}

/** Owner a file or folder gets, or undefined where it keeps its own. */
export function ownerFor(
  { uid, gid }: ResolvedPermissions,
  stats: Stats,
  platform: NodeJS.Platform = process.platform,
): { uid: number; gid: number } | undefined {
  if (platform === 'win32' || (uid === undefined && gid === undefined)) return undefined;
  return { uid: uid ?? stats.uid, gid: gid ?? stats.gid };
}
