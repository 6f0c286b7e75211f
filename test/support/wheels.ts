import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buildWheel, wheelFileName, type WheelSource } from '../../src/testing/index.js';
import { temporaryFolder } from './temp-folder.js';

/** A folder with `wheels/` and `requirements.txt`, as a package has them. */
export async function wheelFolder(
  sources: readonly WheelSource[],
  requirements: string | Uint8Array,
): Promise<{ root: string; wheels: string; requirements: string }> {
  const root = await temporaryFolder();
  const wheels = path.join(root, 'wheels');
  await mkdir(wheels);
  for (const source of sources) {
    await writeFile(path.join(wheels, wheelFileName(source)), await buildWheel(source));
  }
  const file = path.join(root, 'requirements.txt');
  await writeFile(file, requirements);
  return { root, wheels, requirements: file };
}
