import { mkdir } from 'node:fs/promises';

/**
 * A path of Windows without the prefix that keeps the system from reading it (`\\?\C:\…`, `\\?\UNC\server\share\…`). Other
 * paths stay, those of a volume (`\\?\Volume{…}\…`) too, which have no other form.
 */
export function plainPath(file: string): string {
  if (/^\\\\\?\\UNC\\/i.test(file)) return `\\\\${file.slice(8)}`;
  return /^\\\\\?\\[a-z]:/i.test(file) ? file.slice(4) : file;
}

/**
 * Makes a folder with those above it that are missing.
 *
 * @returns the outermost that had to be made, as a {@link plainPath}: on Windows Node 22 and later give it with the prefix,
 * which is the path of none of the folders that the caller knows. Undefined when all were there
 */
export async function makeFolders(folder: string): Promise<string | undefined> {
  const first = await mkdir(folder, { recursive: true });
  return first === undefined ? undefined : plainPath(first);
}
