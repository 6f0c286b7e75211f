import { readFile, readlink, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import type { Check, PackageInspection } from '../package/types.js';
import type { Venv } from '../python/types.js';
import { VenvManager } from '../python/venv-manager.js';
import { PackageValidator } from '../validation/package-validator.js';
import { walkTree } from './tree.js';

/** A package that passed its inspection and stays open. */
export interface OpenPackage extends AsyncDisposable {
  /** Of the zip. */
  path: string;
  inspection: PackageInspection;
  /** Unpacks into an absent folder: the algorithm root's content with `wheels/` beside it. */
  unpack(
    target: string,
    o: OperationOptions & { onProgress: (doneBytes: number, totalBytes: number) => void },
  ): Promise<void>;
}

/** Fields of a registry entry that only a trial run can tell. */
export interface LearntFacts {
  /** Whether the version's environment has NumPy, Pillow. */
  has_numpy?: boolean;
  has_pillow?: boolean;
}

/** What an install takes from the rooms below, one step each. */
export interface PackageSteps {
  open(zip: string, o: OperationOptions): Promise<OpenPackage>;
  /** Makes `<root>/venv` and installs into it, such that it is right once `root` has become `finalRoot`. */
  environment(
    root: string,
    inspection: PackageInspection,
    o: OperationOptions & { finalRoot: string; onProgress: (part: number) => void },
  ): Promise<Venv>;
  /** Runs the algorithm once. What was learnt of its environment goes into the registry entry. */
  smoke(
    root: string,
    venv: Venv,
    inspection: PackageInspection,
    o: OperationOptions & { finalRoot: string; onCheck: (check: Check) => void },
  ): Promise<LearntFacts>;
}

/** The steps as they are: real archives, environments and trial runs. */
export function packageSteps(
  wheelStore: string,
  options: { venvs?: VenvManager; validator?: PackageValidator },
): PackageSteps {
  const venvs = options.venvs ?? new VenvManager({ wheelStore });
  const validator = options.validator ?? new PackageValidator({ venvs });
  return {
    open: async (zip, o) => {
      const { archive, layout, inspection } = await validator.open(zip, o);
      return {
        path: zip,
        inspection,
        unpack: async (target, { signal, onProgress }) => {
          await archive.extract(target, { place: (entry) => layout.place(entry), signal, onProgress });
        },
        [Symbol.asyncDispose]: () => archive.close(),
      };
    },
    environment: (root, inspection, o) => makeEnvironment(venvs, root, inspection, o),
    smoke: async (root, { python }, { manifest, generation, python: need }, o) => {
      const learnt: LearntFacts = {};
      if (validator.runsSmoke) {
        const target = { root, python, manifest, generation };
        const { checks, error, modules } = await validator.smoke(target, { signal: o.signal });
        for (const check of checks) o.onCheck(check);
        if (error) throw error as Error;
        Object.assign(learnt, { has_numpy: modules.numpy, has_pillow: modules.PIL });
      }
      // Only now: the trial run needs the interpreter where it is.
      if (need.embedded !== undefined) await moveLinks(path.join(root, 'venv'), root, o.finalRoot);
      return learnt;
    },
  };
}

async function makeEnvironment(
  venvs: VenvManager,
  root: string,
  { wheels, python }: PackageInspection,
  o: Parameters<PackageSteps['environment']>[2],
): Promise<Venv> {
  const { signal, finalRoot } = o;
  const dir = path.join(root, 'venv');
  const embedded = python.embedded === undefined ? undefined : path.join(root, python.embedded);
  const need = { wheels, pythonVersion: python.pythonVersion, embedded };
  const onProgress = (event: { venv: string; fraction: number }) => {
    if (event.venv === dir) o.onProgress(event.fraction);
  };
  venvs.on('progress', onProgress);
  try {
    const interpreter = await venvs.select(need, { signal });
    const venv = await venvs.create(dir, { interpreter, finalDir: path.join(finalRoot, 'venv'), signal });
    await venvs.install(venv, {
      wheels: path.join(root, 'wheels'),
      requirements: path.join(root, 'requirements.txt'),
      signal,
    });
    await venvs.verify(venv, { signal });
    return venv;
  } finally {
    venvs.off('progress', onProgress);
  }
}

/** An environment made from the interpreter that ships with the package names that one, which moves with it. */
async function moveLinks(venv: string, from: string, to: string): Promise<void> {
  for await (const { path: file, kind } of walkTree(venv)) {
    if (kind !== 'link') continue;
    const target = await readlink(file);
    if (!target.startsWith(from + path.sep)) continue;
    await unlink(file);
    await symlink(to + target.slice(from.length), file);
  }
  const config = path.join(venv, 'pyvenv.cfg');
  await writeFile(config, (await readFile(config, 'utf8')).replaceAll(from, to));
}
