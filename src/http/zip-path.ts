import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../errors.js';

/**
 * The zip that a request names: a file in `zips/`, links followed. A name that leads out is refused before the disk is
 * asked, because on Windows a look at `\\host\share` already tells that host who is asking.
 *
 * @throws RunnerError `not_found`
 */
export async function zipInside(zips: string, name: string): Promise<string> {
  const missing = new RunnerError('not_found', `There is no package ${JSON.stringify(name)} in zips/`, {
    details: { path: name },
  });
  const named = resolveInside(zips, name);
  if (named === undefined) throw missing;
  try {
    const [root, file] = await Promise.all([realpath(zips), realpath(named)]);
    if (file.startsWith(root + path.sep) && (await stat(file)).isFile()) return file;
  } catch {
    // Not there, or not to be read: to the caller that is the same.
  }
  throw missing;
}

/** The path that a name, relative or absolute, has in `folder`; undefined when it is not below it by its letters. */
export function resolveInside(
  folder: string,
  name: string,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const paths = platform === 'win32' ? path.win32 : path.posix;
  const file = paths.resolve(folder, name);
  const inner = paths.relative(folder, file);
  if (inner === '' || paths.isAbsolute(inner) || inner.split(paths.sep)[0] === '..' || inner.includes('\0'))
    return undefined;
  // A colon after the drive names another stream of the file, or a device.
  return platform === 'win32' && inner.includes(':') ? undefined : file;
}
