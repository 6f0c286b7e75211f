import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Generation } from '../../src/package/types.js';
import { writeAlgorithmFolder } from '../../src/testing/algorithm-folder.js';
import type { WorkerSpec } from '../../src/worker/types.js';
import { temporaryFolder } from './temp-folder.js';

/** The interpreter that runs it: that of the machine, or the one this run of the tests is for. */
const PYTHON = process.env.PROCVISION_TEST_PYTHON ?? 'python3';

/** A worker of an algorithm that runs on the machine's Python as it is: for tests of everything above environments. */
export async function algorithmFolder(
  source: string,
  options: { generation?: Generation; python?: string } = {},
): Promise<WorkerSpec> {
  const { generation, python = PYTHON } = options;
  const root = await temporaryFolder();
  await writeAlgorithmFolder(root, { source, generation });
  const frameDirectory = path.join(root, 'frames');
  await mkdir(frameDirectory);
  return { name: 'sample', version: '1', root, python, entryPoint: 'main:Algorithm', frameDirectory };
}
