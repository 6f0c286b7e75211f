import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Generation } from '../../src/package/types.js';
import { assetPath } from '../../src/assets.js';
import { copyFile, readdir } from 'node:fs/promises';
import type { WorkerSpec } from '../../src/worker/types.js';
import { temporaryFolder } from './temp-folder.js';

/**
 * An algorithm root that runs on the machine's Python as it is, without an environment: the stand-in SDK lies in the
 * root, which is the working directory of the worker. For tests of everything above packages and environments.
 */
export async function algorithmFolder(
  source: string,
  options: { generation?: Generation; python?: string } = {},
): Promise<WorkerSpec> {
  const { generation = 'phased', python = 'python3' } = options;
  const root = await temporaryFolder();
  const sdk = path.join(root, 'procvision_algorithm_sdk');
  await mkdir(path.join(sdk, 'adapter'), { recursive: true });
  for (const part of ['common', generation === 'phased' ? 'phased' : 'execute_only']) {
    const from = assetPath(`testing/stand-in-sdk/${part}`);
    for (const name of (await readdir(from)).filter((file) => file.endsWith('.py'))) {
      const target = name === 'adapter_main.py' ? path.join('adapter', '__main__.py') : name;
      await copyFile(path.join(from, name), path.join(sdk, target));
    }
  }
  await writeFile(path.join(sdk, 'adapter', '__init__.py'), '');
  await writeFile(path.join(root, 'main.py'), source);
  const frameDirectory = path.join(root, 'frames');
  await mkdir(frameDirectory);
  return { name: 'sample', version: '1', root, python, entryPoint: 'main:Algorithm', frameDirectory };
}
