import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../abort.js';
import { isRecord } from '../arguments.js';
import { RunnerError } from '../errors.js';
import { loadSecondReader } from '../package/archive/second-reading.js';
import type { ArchiveLimits, Check, NameEncoding, PackageInspection } from '../package/types.js';
import { declaredSteps, keptSteps } from '../parameters/declared-steps.js';
import { type Compiled, Compiling } from '../python/environments/compile.js';
import { distInfos, parseRecord } from '../python/environments/record.js';
import { fileOfRow, readExceptions } from '../python/environments/installed-records.js';
import { nameHome } from '../python/environments/relocatable.js';
import type { Venv } from '../python/types.js';
import type { SharedWheels } from '../python/wheels/wheel-store.js';
import { renameOver } from '../store/atomic-file.js';
import type { StoreLayout } from '../store/layout.js';

import type { VenvManager } from '../python/venv-manager.js';
import type { RegistryEntry } from '../registry/types.js';
import { interpreterNeed } from '../validation/interpreter-need.js';
import type { PackageValidator } from '../validation/package-validator.js';
import { sourcelessModules } from '../validation/sourceless.js';

const WHEELS = 'wheels/';

/** A package that passed its inspection and stays open. */
export interface OpenPackage extends AsyncDisposable {
  /** Of the zip. */
  path: string;
  inspection: PackageInspection;
  /** What it was held to, and its wheels are to be. */
  limits?: Partial<ArchiveLimits>;
  /** Unpacks into an absent folder: the algorithm root's content with `wheels/` beside it. */
  unpack(
    target: string,
    o: OperationOptions & { onProgress: (doneBytes: number, totalBytes: number) => void },
  ): Promise<Unpacked>;
}

/** What came out of a package, from the reading that was verified. */
export interface Unpacked {
  /** SHA-256 (hex) of the zip. */
  sha256: string;
  /** SHA-256 (hex) of wheels as they were written, by path relative to the target. */
  hashes: ReadonlyMap<string, string>;
}

/** Fields of a registry entry that a trial run can tell best. */
export type LearntFacts = Pick<RegistryEntry, 'has_numpy' | 'has_pillow' | 'step_indexes' | 'steps'>;

/** An environment that was made, and what is known of it for certain. */
export interface MadeEnvironment {
  venv: Venv;
  /** SHA-256 of files that were checked while they were installed, by path relative to the root. */
  hashes: ReadonlyMap<string, string>;
  /** Whether those of them that environments share are on the disk already. */
  sharedAreDurable: boolean;
  /** What is odd about the wheels. */
  warnings?: string[];
}

/** Makes byte code; what it has begun ends with it. */
export interface Compiler extends AsyncDisposable {
  /** File in which the trial run says what it loads; undefined where it need not. */
  told?: string | undefined;
  /** Makes that of these sources, of all where it is not known which are imported; undefined where it cannot. */
  finish(o: { files: readonly string[] | undefined; limitMs: number }): Promise<Compiled | undefined>;
}

/** What an install takes from the rooms below, one step each. */
export interface PackageSteps {
  open(zip: string, o: { nameEncoding?: NameEncoding } & OperationOptions): Promise<OpenPackage>;
  /** A project folder that lies in the store already; what it unpacks is the caller's to say. */
  openFolder(folder: string, o: OperationOptions): Promise<Omit<OpenPackage, 'unpack'>>;
  /**
   * Makes the environment without a wheel in it, in a folder of its own, before the package is unpacked; undefined where
   * that cannot be. Why it cannot, {@link PackageSteps.environment} says.
   */
  early(
    folder: string,
    inspection: PackageInspection,
    o: OperationOptions & { finalRoot: string },
  ): Promise<Venv | undefined>;
  /** Makes `<root>/venv` and installs into it, such that it is right once `root` has become `finalRoot`. */
  environment(
    root: string,
    inspection: PackageInspection,
    o: OperationOptions & {
      finalRoot: string;
      limits: Partial<ArchiveLimits> | undefined;
      /** Names of files that get no second name. */
      ownFiles: readonly string[];
      /** SHA-256 (hex) of what was unpacked, by path relative to the root, as far as it is known. */
      unpacked: ReadonlyMap<string, string>;
      /** What was made before, to be taken. */
      early: Venv | undefined;
      onProgress: (part: number) => void;
    },
  ): Promise<MadeEnvironment>;
  /** Runs the algorithm once. What was learnt of its environment goes into the registry entry. */
  smoke(
    root: string,
    venv: Venv,
    inspection: PackageInspection,
    o: OperationOptions & {
      finalRoot: string;
      onCheck: (check: Check) => void;
      /** File that gets the paths of sources while they are loaded. */
      told: string | undefined;
      /** Sources that were imported, relative to the root. */
      onLoaded: (files: readonly string[]) => void;
    },
  ): Promise<LearntFacts>;
  /** Begins to make the byte code of what the trial run loads, where there is one; undefined where it makes none. */
  compiling(
    root: string,
    venv: Venv,
    o: OperationOptions & { finalRoot: string },
  ): Promise<Compiler | undefined>;
  /** Removes what environments shared and none of these uses any more. */
  tidy(environments: string[], o: OperationOptions): Promise<{ freedBytes: number }>;
}

/** The steps as they are: real archives, environments and trial runs. */
export function packageSteps(
  { root: storeRoot, algorithms, wheelStore }: StoreLayout,
  {
    venvs,
    validator,
    limits,
    shared,
  }: {
    venvs: VenvManager;
    validator: PackageValidator;
    limits?: Partial<ArchiveLimits>;
    shared: SharedWheels | undefined;
  },
): PackageSteps {
  return {
    open: async (zip, o) => {
      loadSecondReader().catch(() => undefined); // while interpreters are asked; who unpacks learns of a failure
      const { archive, layout, inspection } = await validator.open(zip, { ...o, limits });
      return {
        path: zip,
        inspection,
        limits: archive.limits,
        unpack: async (target, { signal, onProgress }) => {
          const hashes = new Map<string, string>();
          const { sha256 = '' } = await archive.extract(target, {
            place: (entry) => layout.place(entry),
            oneReading: true,
            onFile: (entry, digest) => {
              const to = layout.place(entry);
              if (to?.startsWith(WHEELS)) hashes.set(to, digest.toString('hex'));
            },
            ...{ signal, onProgress },
          });
          return { sha256, hashes };
        },
        [Symbol.asyncDispose]: () => archive.close(),
      };
    },
    openFolder: async (folder, o) => ({
      path: folder,
      inspection: await validator.inspectFolder(folder, o),
      limits,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
    early: async (folder, inspection, { finalRoot, signal }) => {
      if (inspection.python.embedded !== undefined) return undefined; // an interpreter that is not unpacked yet
      const interpreter = await venvs.select(interpreterNeed('', inspection), { signal });
      const finalDir = path.join(finalRoot, 'venv');
      // Of the same name: the scripts that activate it show the folder's.
      return venvs.create(path.join(folder, 'venv'), { interpreter, finalDir, signal });
    },
    environment: (root, inspection, o) => makeEnvironment({ venvs, shared }, root, inspection, o),
    smoke: async (root, venv, inspection, o) => {
      const { manifest, generation, python: need } = inspection;
      const learnt: LearntFacts = {};
      let { steps }: { steps?: unknown } = manifest;
      if (validator.runsSmoke) {
        const store = { root: storeRoot, versions: algorithms };
        const sourceless = sourcelessModules(inspection);
        const target = { root, python: venv.python, manifest, generation, store, told: o.told, sourceless };
        const { checks, error, modules, info, loaded } = await validator.smoke(target, { signal: o.signal });
        for (const check of checks) o.onCheck(check);
        if (error) throw error as Error;
        o.onLoaded(loaded);
        Object.assign(learnt, { has_numpy: modules.numpy, has_pillow: modules.PIL });
        if (indexesOf(info?.steps).length > 0) steps = info?.steps;
      }
      const indexes = indexesOf(steps);
      if (indexes.length > 0) learnt.step_indexes = indexes;
      const declared = keptSteps(withParameters(steps, manifest.steps));
      if (declared) learnt.steps = declared;
      // Only now: the trial run needs the interpreter where it is.
      if (need.embedded !== undefined) {
        await nameHome(venv, path.join(o.finalRoot, 'venv'));
      }
      return learnt;
    },
    compiling: async (root, { interpreter }, { finalRoot, signal }) => {
      const told = validator.runsSmoke ? `${root}.told` : undefined;
      if (told !== undefined) await writeFile(told, '');
      const place = { python: interpreter.path, root, shownRoot: finalRoot, signal };
      const compiling = new Compiling(place, told);
      return {
        told,
        finish: (o) =>
          compiling.finish(o).catch((error: unknown) => {
            if (RunnerError.is(error, 'aborted')) throw error;
            return undefined; // a slower start
          }),
        [Symbol.asyncDispose]: () => compiling[Symbol.asyncDispose](),
      };
    },
    tidy: async (environments, { signal }) => {
      // A folder of wheels elsewhere may serve other stores, whose environments are not known here.
      if (shared?.root !== path.resolve(wheelStore)) return { freedBytes: 0 };
      const { removed } = await venvs.pruneSharedWheels({ environments, shared, signal });
      return { freedBytes: removed.reduce((sum, { bytes }) => sum + bytes, 0) };
    },
  };
}

/** A `get_info()` may name a step without its parameters, or with the empty list of the SDK's scaffold: then those of the manifest hold. */
function withParameters(steps: unknown, ofManifest: unknown): unknown {
  if (!Array.isArray(steps) || steps === ofManifest) return steps;
  const declared = declaredSteps(ofManifest);
  return steps.map((step: unknown) => {
    if (!isRecord(step) || (Array.isArray(step.params) && step.params.length > 0)) return step;
    const { params } = declared.find(({ index }) => index === step.index) ?? {};
    return params ? { ...step, params } : step;
  });
}

/** Indices that a list of steps declares; the list comes from a package. */
function indexesOf(steps: unknown): number[] {
  if (!Array.isArray(steps)) return [];
  return steps
    .map((step: unknown) => (step as { index?: unknown } | null)?.index)
    .filter((index): index is number => Number.isSafeInteger(index) && Number(index) >= 0);
}

async function makeEnvironment(
  { venvs, shared }: { venvs: VenvManager; shared: SharedWheels | undefined },
  root: string,
  inspection: PackageInspection,
  o: Parameters<PackageSteps['environment']>[2],
): Promise<MadeEnvironment> {
  const { signal, finalRoot, limits, ownFiles } = o;
  const hashes = new Map([...o.unpacked].map(([file, sha256]) => [file.slice(WHEELS.length), sha256]));
  const dir = path.join(root, 'venv');
  const onProgress = (event: { venv: string; fraction: number }) => {
    if (event.venv === dir) o.onProgress(event.fraction);
  };
  venvs.on('progress', onProgress);
  try {
    const make = async () => {
      const interpreter = await venvs.select(interpreterNeed(root, inspection), { signal });
      return venvs.create(dir, { interpreter, finalDir: path.join(finalRoot, 'venv'), signal });
    };
    const venv = (o.early && (await moved(o.early, dir))) ?? (await make());
    const { warnings } = await venvs.install(venv, {
      wheels: path.join(root, 'wheels'),
      requirements: path.join(root, 'requirements.txt'),
      ...{ limits, ownFiles, hashes, shared, signal },
    });
    // Every file was compared with its RECORD while it was installed: reading every byte again would cost what sharing saves.
    const sharedAreDurable = shared?.durability === 'full';
    return { venv, hashes: await recordedHashes(root, venv), sharedAreDurable, warnings };
  } finally {
    venvs.off('progress', onProgress);
  }
}

/** The environment in this folder; undefined where it cannot be moved there, for something of the package is. */
async function moved(venv: Venv, dir: string): Promise<Venv | undefined> {
  try {
    await renameOver(venv.dir, dir);
  } catch {
    return undefined;
  }
  const at = (file: string) => path.join(dir, path.relative(venv.dir, file));
  return { ...venv, dir, python: at(venv.python), sitePackages: at(venv.sitePackages) };
}

/** SHA-256 in hex of everything RECORD gives one for, by path relative to `root`; of files of two wheels, that of the winner. */
async function recordedHashes(root: string, venv: Venv): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  const { sitePackages } = venv;
  const set = (file: string, hash: string) => {
    if (!hash.startsWith('sha256=')) return;
    const relative = path.relative(root, file).split(path.sep).join('/');
    hashes.set(relative, Buffer.from(hash.slice('sha256='.length), 'base64url').toString('hex'));
  };
  for (const distInfo of await distInfos(sitePackages)) {
    const record = path.join(sitePackages, distInfo, 'RECORD');
    for (const row of parseRecord(await readFile(record, 'utf8'))) {
      const file = fileOfRow(venv, row);
      if (file !== undefined && file !== record) set(file, row.hash);
    }
  }
  for (const [file, hash] of await readExceptions(venv)) set(path.join(venv.dir, file), hash ?? '');
  return hashes;
}
