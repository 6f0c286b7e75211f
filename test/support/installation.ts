import path from 'node:path';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import { FileHashes } from '../../src/python/wheels/wheel-store.js';
import type { Installation } from '../../src/python/pip/install-pip.js';
import { listWheels } from '../../src/python/pip/pip.js';
import { readRequirements } from '../../src/python/pip/requirements-file.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import type { WheelSource } from '../../src/testing/index.js';
import { wheelFolder } from './wheels.js';

const manager = new VenvManager();

/** What an installer is given for these wheels and requirements: an environment of its own, made and empty. */
export async function installationOf(
  sources: readonly WheelSource[],
  requirements: string,
): Promise<Installation> {
  const folder = await wheelFolder(sources, requirements);
  const interpreter = await manager.select({});
  return {
    venv: await manager.create(path.join(folder.root, 'venv'), { interpreter }),
    facts: await new FactsCache().get(interpreter),
    wheelsFolder: folder.wheels,
    wheels: await listWheels(folder.wheels),
    requirements: await readRequirements(folder.requirements),
    timeoutMs: 60_000,
    ownFiles: [],
    onLine: () => undefined,
    onProgress: () => undefined,
  };
}

/** SHA-256 of each of its wheels, by file. */
export async function hashesOf({ wheels, wheelsFolder }: Installation): Promise<Map<string, string>> {
  const hashes = new FileHashes(path.join(wheelsFolder, 'hashes.json'));
  return new Map(
    await Promise.all(
      wheels.map(async ({ file }) => [file, await hashes.get(path.join(wheelsFolder, file))] as const),
    ),
  );
}

/** A pure wheel with one module. */
export function smallWheel(name: string, version: string, more: Partial<WheelSource> = {}): WheelSource {
  return { name, version, files: { [`${name}.py`]: `VERSION = "${version}"\n` }, ...more };
}
