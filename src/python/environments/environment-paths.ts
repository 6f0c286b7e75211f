import { readdir } from 'node:fs/promises';
import path from 'node:path';

/** The interpreter of an environment. */
export function pythonIn(dir: string, platform: NodeJS.Platform = process.platform): string {
  return platform === 'win32'
    ? path.win32.join(dir, 'Scripts', 'python.exe')
    : path.join(dir, 'bin', 'python');
}

/** Every site-packages folder of an environment. */
export async function libraries(environment: string): Promise<string[]> {
  const names = await readdir(path.join(environment, 'lib')).catch(() => []);
  const versions = names.filter((name) => /^(python|pypy)\d/.test(name)); // `Lib` on Windows is the same folder
  return [
    ...versions.map((version) => path.join(environment, 'lib', version, 'site-packages')),
    path.join(environment, 'Lib', 'site-packages'), // Windows
  ];
}
