import { realpathSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';

/** Whom a file is asked for. */
interface User {
  uid: number;
  gid: number;
}

/**
 * The first folder on the way to one of these files that a user may not enter by its mode, with what it is and what to do, for
 * a process of that user that ended: what it misses then (`No module named …`) names no folder. Lists of access beyond the
 * mode are not read, so this explains a failure, and refuses nothing.
 */
export function barredFolder(files: readonly string[], user: User): string | undefined {
  if (user.uid === 0) return undefined;
  for (const folder of files.flatMap(foldersOnTheWay)) {
    const stats = orUndefined(() => statSync(folder));
    if (!stats || mayEnter(stats, user)) continue;
    const mode = (stats.mode & 0o7777).toString(8).padStart(3, '0');
    return (
      `user ${user.uid} (group ${user.gid}) may not enter ${folder} (mode ${mode}, owner ${stats.uid}, group ${stats.gid}), ` +
      `which is on the way to its Python or its files. Let it enter (chmod o+x '${folder}'), or use a Python and a store elsewhere`
    );
  }
  return undefined;
}

/** From the root on, of a file and of where its links end. */
function foldersOnTheWay(file: string): string[] {
  const found = new Set<string>();
  for (const target of [file, orUndefined(() => realpathSync(file)) ?? file]) {
    const folders: string[] = [];
    for (let at = path.dirname(target); folders[0] !== at; at = path.dirname(at)) folders.unshift(at);
    for (const folder of folders) found.add(folder);
  }
  return [...found];
}

/** What this user may not look at either, or what is not there, says nothing. */
function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function mayEnter({ mode, uid, gid }: Stats, user: User): boolean {
  if (uid === user.uid) return (mode & 0o100) !== 0;
  if (gid === user.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}
