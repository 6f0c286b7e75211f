import { mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Venv } from '../../src/index.js';
import { readCache } from '../../src/python/libraries/machine-libraries.js';
import { findMissingLibraries, type LibraryOptions } from '../../src/python/libraries/missing-libraries.js';

/**
 * What is wrong with what is said of the libraries of an environment whose imports work: none of them is missing, and hidden from
 * the look, the one of the system is. Undefined where nothing is wrong, and on a system without a cache of its linker.
 */
export async function libraryFault(
  { sitePackages, interpreter }: Venv,
  library: string,
): Promise<string | undefined> {
  const missing = async (places?: LibraryOptions['places']) => {
    const o = { python: interpreter.path, pythonVersion: interpreter.version, places };
    const report = await findMissingLibraries([sitePackages], o);
    return report.missing.flatMap((one) => (one.byModule ? [one.library] : [])).join();
  };
  const here = await missing();
  if (here !== '') return `${here} is missing, and all imports work`;
  const cache = await readCache('/etc/ld.so.cache');
  if (cache.size === 0) return undefined;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'pv-system-'));
  try {
    for (const [name, [file = '']] of cache) {
      if (name !== library && !name.includes('/')) await symlink(file, path.join(folder, name));
    }
    const without = await missing({ cache: '', folders: [folder], libraryPath: '' });
    return without === library
      ? undefined
      : `without ${library} it is ${without || 'nothing'} that is missing`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
