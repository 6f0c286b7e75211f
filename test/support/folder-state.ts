import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** Everything below a folder, byte for byte: path to type, mode, size and SHA-256. */
export async function folderState(folder: string): Promise<Record<string, string>> {
  const state: Record<string, string> = {};
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    const file = path.join(folder, name);
    const info = await lstat(file);
    const hash = info.isFile()
      ? createHash('sha256')
          .update(await readFile(file))
          .digest('hex')
      : '';
    state[name] = `${info.mode.toString(8)} ${info.isFile() ? info.size : 0} ${hash}`;
  }
  return state;
}
