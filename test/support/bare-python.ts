import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readdir, symlink } from 'node:fs/promises';
import path from 'node:path';

/** Parts of the standard library that a distribution may keep in packages of their own. */
export type LeftOut = 'ensurepip' | 'venv';

/**
 * An interpreter as a distribution ships it that keeps pip, ensurepip and sometimes venv in other packages: this one's
 * own executable and standard library, in another prefix and without those.
 */
export async function barePython(of: string, folder: string, leftOut: readonly LeftOut[]): Promise<string> {
  const said = execFileSync(
    of,
    [
      '-I',
      '-c',
      'import os, sys; print(sys.executable); print(os.path.dirname(os.__file__)); print(sys.version_info[1])',
    ],
    { encoding: 'utf8' },
  );
  const [executable = '', library = '', minor = ''] = said.trim().split('\n');
  const name = `python3.${minor}`;
  await mkdir(path.join(folder, 'bin'), { recursive: true });
  await copyFile(executable, path.join(folder, 'bin', name));
  await symlink(name, path.join(folder, 'bin', 'python3'));
  const own = path.join(folder, 'lib', name);
  await mkdir(own, { recursive: true });
  const omitted = new Set<string>(['site-packages', 'dist-packages', ...leftOut]);
  for (const entry of await readdir(library)) {
    if (!omitted.has(entry)) await symlink(path.join(library, entry), path.join(own, entry));
  }
  return path.join(folder, 'bin', 'python3');
}
