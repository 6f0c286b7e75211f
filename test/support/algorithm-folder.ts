import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Generation } from '../../src/package/types.js';
import { writeAlgorithmFolder } from '../../src/testing/algorithm-folder.js';
import type { WorkerSpec } from '../../src/worker/types.js';
import { temporaryFolder } from './temp-folder.js';

/** A worker of an algorithm that runs on the machine's Python as it is: for tests of everything above environments. */
export async function algorithmFolder(
  source: string,
  options: { generation?: Generation; python?: string } = {},
): Promise<WorkerSpec> {
  const { generation, python = 'python3' } = options;
  const root = await temporaryFolder();
  await writeAlgorithmFolder(root, { source, generation });
  const frameDirectory = path.join(root, 'frames');
  await mkdir(frameDirectory);
  return { name: 'sample', version: '1', root, python, entryPoint: 'main:Algorithm', frameDirectory };
}
