import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  buildPackage,
  buildWheel,
  wheelFileName,
  type BuiltWheel,
  type PackageSource,
  type WheelSource,
} from '../../src/testing/index.js';
import { temporaryFolder } from './temp-folder.js';

/** A package as a file in a folder of its own, from bytes or from what it is made of. */
export async function packageFile(source: PackageSource | Uint8Array = {}): Promise<string> {
  const file = path.join(await temporaryFolder(), 'package.zip');
  await writeFile(file, source instanceof Uint8Array ? source : await buildPackage(source));
  return file;
}

/** A wheel with its file name. */
export async function wheelOf(source: WheelSource): Promise<BuiltWheel> {
  return { file: wheelFileName(source), bytes: await buildWheel(source) };
}

/** Files of an algorithm of the phased generation whose parts are these expressions of Python. */
export function phasedAlgorithm(body: { info?: string; pre?: string; execute?: string; head?: string }) {
  const { head = '', info, pre, execute } = body;
  const source = `from procvision_algorithm_sdk import BaseAlgorithm
${head}
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return ${info ?? '{"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}'}
    def pre_execute(self, *call):
        return ${pre ?? '{"status": "OK", "message": ""}'}
    def execute(self, *call):
        return ${execute ?? '{"status": "OK", "data": {"result_status": "OK"}}'}
`;
  return { files: { 'algorithm/__init__.py': '', 'algorithm/main.py': source } };
}
