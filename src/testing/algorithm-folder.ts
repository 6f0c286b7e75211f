import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { standInSdkFiles, type StandInSdkOptions } from './stand-in-sdk.js';

/** What an algorithm root is made from. */
export interface AlgorithmFolderSource extends Partial<StandInSdkOptions> {
  /** Source of `main.py`, with its class `Algorithm`. */
  source: string;
}

/**
 * Writes an algorithm root that runs on a Python as it is, without an environment: the stand-in SDK lies in the root,
 * which is the working directory of a worker, beside `main.py`. The entry point is `main:Algorithm`.
 *
 * @example
 * ```ts
 * const source = sampleAlgorithm({ generation: 'phased', name: 'sample', version: '1', productIds: ['A01'] });
 * await writeAlgorithmFolder(root, { source });
 * const spec = { name: 'sample', version: '1', root, python: 'python3', entryPoint: 'main:Algorithm', frameDirectory };
 * await using worker = new AlgorithmWorker(spec);
 * ```
 */
export async function writeAlgorithmFolder(root: string, o: AlgorithmFolderSource): Promise<void> {
  const { source, generation = 'phased' } = o;
  const sdk = await standInSdkFiles({ ...o, generation });
  for (const [file, text] of Object.entries({ ...sdk, 'main.py': source })) {
    const target = path.join(root, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
  }
}
