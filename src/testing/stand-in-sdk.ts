import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { assetPath } from '../assets.js';
import type { Generation } from '../package/types.js';
import { buildWheel, wheelFileName } from './build-wheel.js';

/** A wheel and the file name it goes by. */
export interface BuiltWheel {
  /** File name of the wheel. */
  file: string;
  /** Its content. */
  bytes: Uint8Array;
}

/** Which SDK to stand in for. */
export interface StandInSdkOptions {
  /** How it calls an algorithm. */
  generation: Generation;
  /** Version of the SDK. @defaultValue '0.0.7' for phased, '0.3.2' for execute-only */
  version?: string;
  /** Whether the adapter knows the `info` phase and the hooks (phased SDKs before 0.0.7 do not). @defaultValue true */
  infoPhase?: boolean;
}

/**
 * A pure-Python wheel that stands in for the published `procvision_algorithm_sdk`: same module names, same wire
 * behaviour, both generations, written from the protocol's description. Needs no NumPy; uses it where it is.
 *
 * @example
 * ```ts
 * const sdk = await buildStandInSdk({ generation: 'phased', version: '0.0.6', infoPhase: false });
 * const zip = await buildPackage({ sdk: [sdk] });
 * ```
 */
export async function buildStandInSdk(options: StandInSdkOptions): Promise<BuiltWheel> {
  const phased = options.generation === 'phased';
  const source = {
    name: 'procvision_algorithm_sdk',
    version: options.version ?? (phased ? '0.0.7' : '0.3.2'),
    requiresPython: '>=3.8',
    files: await standInSdkFiles(options),
  };
  return { file: wheelFileName(source), bytes: await buildWheel(source) };
}

/** The Python files of the stand-in, by path below the folder that imports them. */
export async function standInSdkFiles(options: StandInSdkOptions): Promise<Record<string, string>> {
  const { generation, infoPhase = true } = options;
  const own = await pythonFiles(generation === 'phased' ? 'phased' : 'execute_only');
  const files: Record<string, string> = {};
  for (const [name, source] of [...(await pythonFiles('common')), ...own]) {
    const target = name === 'adapter_main.py' ? 'adapter/__main__.py' : name;
    files[`procvision_algorithm_sdk/${target}`] = infoPhase
      ? source
      : source.replace('INFO_PHASE = True', 'INFO_PHASE = False');
  }
  files['procvision_algorithm_sdk/adapter/__init__.py'] = '';
  return files;
}

async function pythonFiles(folder: string): Promise<[name: string, source: string][]> {
  const directory = assetPath(`testing/stand-in-sdk/${folder}`);
  const names = (await readdir(directory)).filter((name) => name.endsWith('.py')).sort();
  return Promise.all(
    names.map(async (name): Promise<[string, string]> => [
      name,
      await readFile(path.join(directory, name), 'utf8'),
    ]),
  );
}
