import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** Everything below a folder, byte for byte: path to type, mode, size and SHA-256. Links are named and not followed. */
export async function folderState(folder: string): Promise<Record<string, string>> {
  const state: Record<string, string> = {};
  const walk = async (below: string): Promise<void> => {
    for (const name of (await readdir(path.join(folder, below))).sort()) {
      const relative = path.join(below, name);
      const file = path.join(folder, relative);
      const info = await lstat(file);
      const hash = info.isFile()
        ? createHash('sha256')
            .update(await readFile(file))
            .digest('hex')
        : '';
      state[relative] = `${info.mode.toString(8)} ${info.isFile() ? info.size : 0} ${hash}`;
      if (info.isDirectory()) await walk(relative);
    }
  };
  await walk('');
  return state;
}

/** Everything below a folder, sorted, with `/` on each system. */
export async function namesBelow(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).map((name) => name.replaceAll(path.sep, '/')).sort();
}
