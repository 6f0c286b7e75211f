import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { choice, Door, flag, instance, lazily, productIds, text } from '../options.js';
import type { Generation } from '../package/types.js';
import { givenProductIds } from '../product-ids.js';
import { pythonIn } from '../python/environments/environment-paths.js';
import { VenvManager } from '../python/venv-manager.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import { writeAlgorithmFolder } from './algorithm-folder.js';
import type { FakeWorker } from './fake-worker/fake-worker.js';
import { sampleAlgorithm } from './sample-algorithm.js';

/** A version to put into a store without a package; `{}` gives a version that runs {@link sampleAlgorithm}. */
export interface VersionSource {
  /** Name of the package. @defaultValue 'sample' */
  name?: string;
  /** Its version. @defaultValue '1.0.0' */
  version?: string;
  /** Product ids it supports. @defaultValue `['A01']`, for execute-only none, which means any */
  productIds?: string[];
  /** Old name of `productIds`. @deprecated use `productIds`: it stays for one minor version */
  pids?: string[];
  /** What runs in place of Python. @defaultValue none: `source` is run by Python */
  worker?: FakeWorker;
  /** How it is called. @defaultValue that of `worker`, else 'phased' */
  generation?: Generation;
  /** Source of `main.py` with its class `Algorithm`. @defaultValue {@link sampleAlgorithm} */
  source?: string;
  /** Whether the adapter has the `info` phase. @defaultValue true */
  infoPhase?: boolean;
  /** Interpreter that runs `source`. @defaultValue 'python3', on Windows 'python' */
  python?: string;
}

/** What {@link deployVersion} takes. */
export const versionDoor = /* @__PURE__ */ lazily(
  () =>
    new Door<VersionSource>('store.deploy(version)', {
      ...{ name: text(), version: text(), source: text(), python: text() },
      ...{ productIds: productIds(), pids: productIds() },
      worker: instance('a FakeWorker', 'standIn', 'answer'),
      generation: choice('phased', 'execute-only'),
      infoPhase: flag(),
    }),
);

/** Writes the folder of a version as an install leaves it, as far as a worker needs it, and lists it. */
export async function deployVersion(registry: Registry, o: VersionSource = {}): Promise<RegistryEntry> {
  versionDoor().check(o);
  const { name = 'sample', version = '1.0.0', worker } = o;
  const generation = o.generation ?? worker?.generation ?? 'phased';
  const given = givenProductIds(versionDoor().call, o);
  const supported = given ?? (generation === 'phased' ? ['A01'] : []);
  const entryPoint = 'main:Algorithm';
  const root = registry.layout.deployed(name, version);
  await mkdir(root, { recursive: true });
  const manifest = { name, version, entry_point: entryPoint, supported_pids: supported };
  await writeFile(path.join(root, 'manifest.json'), JSON.stringify(manifest));
  if (!worker) {
    const source = o.source ?? sampleAlgorithm({ generation, name, version, productIds: supported });
    await writeAlgorithmFolder(root, { source, generation, infoPhase: o.infoPhase });
    await linkPython(registry.layout.venv(name, version), o.python);
  }
  const entry: RegistryEntry = {
    name,
    version,
    supported_pids: supported,
    state: 'deployed',
    created_at: new Date().toISOString(),
    entry_point: entryPoint,
    generation,
  };
  if (worker) await worker.standIn(root);
  await registry.register(entry);
  return entry;
}

/** Makes an interpreter stand where that of an environment would. */
async function linkPython(
  venv: string,
  python = process.platform === 'win32' ? 'python' : 'python3',
): Promise<void> {
  if (process.platform === 'win32') {
    // A link to python.exe finds no library there, and needs a privilege.
    const venvs = new VenvManager({ python });
    await venvs.create(venv, { interpreter: await venvs.select({}) });
    return;
  }
  const link = pythonIn(venv);
  await mkdir(path.dirname(link), { recursive: true });
  await symlink(await executableOf(python), link);
}

/** By name; asked once each. */
const executables = new Map<string, Promise<string>>();

/** The program behind a name, which may lead to a shell script that looks for it. */
function executableOf(python: string): Promise<string> {
  const known = executables.get(python);
  if (known) return known;
  const asked = promisify(execFile)(python, ['-c', 'import sys; print(sys.executable)']);
  const executable = asked.then(({ stdout }) => stdout.trim());
  executables.set(python, executable);
  return executable;
}
