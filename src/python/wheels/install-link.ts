import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { commandOf, scriptBody, scriptEntries } from '../../package/entry-points.js';
import { normalizeProjectName } from '../../package/wheel-name.js';
import { chooseFor, type ChosenWheel } from '../choice/choose.js';
import { forgetExceptions, settleRecords } from '../environments/installed-records.js';
import { scriptHeader } from '../environments/scripts.js';
import type { PythonFacts } from '../interpreters/python-facts.js';
import type { Installation, Installed } from '../pip/install-pip.js';
import { choosePip } from '../pip/pip.js';
import { Turns } from '../turns.js';
import type { Venv } from '../types.js';
import { helperErrno, StoreHelper } from './store-helper.js';
import { readEntry, type WheelEntry } from './wheel-entry.js';
import { type StoredWheel, WheelStore } from './wheel-store.js';

/** How a file of the store gets into an environment. */
type LinkMode = 'reflink' | 'hardlink' | 'copy' | 'move';

/** Ways to be tried, in this order; what was found not to work is not tried again. */
const LINK_MODES: readonly LinkMode[] = ['reflink', 'hardlink', 'copy'];

/** An unpacked wheel to put into an environment. */
interface WheelToLink extends StoredWheel {
  chosen: ChosenWheel;
}

/** Where to put them. */
interface LinkOptions extends OperationOptions {
  helper: StoreHelper;
  venv: Venv;
  facts: PythonFacts;
  /** Names of files, with wildcards, that get no second name. */
  ownFiles: readonly string[];
  ways?: readonly LinkMode[];
  /** Whether somebody waits afterwards until the disk has the files. */
  synced: boolean;
  /** Folder or wheel of a pip, whose programs start the scripts (Windows). */
  launchers?: string;
  onProgress?: (doneFiles: number) => void;
}

/**
 * Puts unpacked wheels into an environment as PEP 427 says and as pip does it: the root into purelib or platlib,
 * `.data` by its schemes, scripts with this environment's interpreter, then INSTALLER, REQUESTED and RECORD.
 *
 * @returns `touched`: folders of wheels whose files somebody wrote to; nothing was linked then. `contested`: whether a file of
 * the environment has several rows, or a row has none
 */
async function linkWheels(
  wheels: readonly WheelToLink[],
  options: LinkOptions,
): Promise<{ touched: string[]; contested: boolean }> {
  const { venv, facts, ways = LINK_MODES } = options;
  const request = {
    do: 'link',
    pythonLine: scriptHeader(venv.python),
    launchers: options.launchers,
    ways,
    synced: options.synced,
    ownFiles: options.ownFiles,
    wheels: wheels.map(({ entry, folder, chosen }) => ({
      ...{ folder, file: entry.file, info: entry.info, purelib: entry.purelib, requested: chosen.requested },
      schemes: schemesOf(venv, facts, chosen),
      commands: [...Object.keys(entry.scripts.console), ...Object.keys(entry.scripts.gui)],
      wrappers: wrappersOf(entry, venv, facts, options.launchers !== undefined),
      windows: Object.keys(entry.scripts.gui).map((name) => `${name}.exe`),
    })),
  };
  const { signal, onProgress } = options;
  return options.helper.ask<{ touched: string[]; contested: boolean }>(request, {
    ...{ signal, onProgress },
    onFault: ({ text, entry: file }) => faulty(file ?? '', text),
  });
}

/** Absolute folder of each scheme a wheel may use. */
function schemesOf(venv: Venv, { schemes }: PythonFacts, chosen: ChosenWheel): Record<string, string> {
  const folders = { ...schemes, headers: path.join(schemes.headers, chosen.writtenName) };
  return Object.fromEntries(
    Object.entries(folders).map(([scheme, folder]) => [scheme, path.join(venv.dir, folder)]),
  );
}

/** The scripts made for entry points, in pip's order: of two with one name the later stays, and RECORD has a row for each. */
function wrappersOf(
  entry: WheelEntry,
  venv: Venv,
  facts: PythonFacts,
  arePrograms: boolean,
): [name: string, content: string][] {
  return scriptEntries(entry.scripts, facts.version).map(([name, target]) => {
    const command = commandOf(name, target);
    // Held against the rules when it was unpacked.
    if (!command) throw faulty(entry.file, `has an entry point that cannot be a script: ${name} = ${target}`);
    if (arePrograms) return [`${command.name}.exe`, scriptBody(command)];
    return [command.name, scriptHeader(venv.python) + scriptBody(command)];
  });
}

function faulty(file: string, what: string): RunnerError {
  return new RunnerError('install_failed', `${file} ${what}`, { details: { path: file } });
}

/** Share of the work that unpacking is, against linking; a wheel that is unpacked already counts as done. */
const UNPACK_SHARE = 0.9;

/** Another process may prune or modify a wheel between check and link. */
const MOST_ATTEMPTS = 3;

/**
 * Installs where no store is kept: the wheels are unpacked in the environment's folder and moved to their places, which
 * are their own then.
 */
export async function installFromWheels(installation: Installation): Promise<Installed> {
  const folder = path.join(installation.venv.dir, '.wheels');
  try {
    return await installByLink(installation, new WheelStore(folder), ['move']);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Installs by linking unpacked wheels out of the store: wheels that were unpacked once need neither pip nor unpacking. */
export async function installByLink(
  installation: Installation,
  store: WheelStore,
  ways?: readonly LinkMode[],
): Promise<Installed> {
  const { venv, timeoutMs } = installation;
  const helper = () => new StoreHelper({ python: venv.interpreter.path, timeoutMs });
  // So many wheels are unpacked at once: while one waits for the disk, another is inflated.
  const helpers = [helper(), helper(), helper()] as const;
  try {
    helpers[0].begin(); // it starts while the wheels are chosen
    return await installWith(helpers, installation, store, ways);
  } finally {
    await Promise.all(helpers.map((helper) => helper[Symbol.asyncDispose]()));
  }
}

async function installWith(
  helpers: readonly [StoreHelper, ...StoreHelper[]],
  installation: Installation,
  store: WheelStore,
  ways: readonly LinkMode[] | undefined,
): Promise<Installed> {
  const { venv, wheels, wheelsFolder, signal, onProgress } = installation;
  const estimate = wheels.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  onProgress('resolve', 0, estimate);
  const sha256Of = async (file: string, ends = signal) =>
    installation.hashes?.get(file) ?? store.hashes.get(path.join(wheelsFolder, file), { signal: ends });
  const sizes = new Map(wheels.map(({ file, sizeBytes }) => [file, sizeBytes]));
  /** Of wheels that are unpacked already, by file. */
  const known = new Map<string, WheelEntry>();
  const metadataOf = async (file: string) => {
    const sha256 =
      installation.hashes?.get(file) ?? (await store.hashes.known(path.join(wheelsFolder, file)));
    const entry = sha256 === undefined ? undefined : await readEntry(store.folderOf(sha256));
    if (entry) known.set(file, entry);
    return entry?.metadata;
  };
  const { chosen, warnings: noted } = await chooseFor(installation, { sha256Of, metadataOf });
  const total = chosen.reduce((sum, { file }) => sum + (sizes.get(file) ?? 0), 0);
  const suspects = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    const wanted = { chosen, sha256Of, sizes, suspects, helpers, known };
    const stored = await ensureAll(installation, store, wanted);
    await store.hashes.save();
    suspects.clear();
    known.clear(); // they may be others when it comes to a second attempt
    const files = stored.reduce((sum, { entry }) => sum + entry.files, 0);
    const [helper] = helpers;
    const linked = await linkWheels(stored, {
      ...{ helper, signal, venv, facts: installation.facts, ownFiles: installation.ownFiles, ways },
      // Without a store nothing says whether: begun in vain it costs little.
      synced: store.durability === 'full' || ways !== undefined,
      launchers:
        process.platform === 'win32' ? choosePip(installation.facts, wheelsFolder, wheels) : undefined,
      onProgress: (count) => {
        onProgress(
          'install',
          Math.floor(total * (UNPACK_SHARE + ((1 - UNPACK_SHARE) * count) / files)),
          total,
        );
      },
    }).catch((error: unknown) => {
      // Pruned by another process between the check and the linking: once more, from the wheels.
      if (attempt === 1 && helperErrno(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (linked?.touched.length === 0) {
      const installed = stored
        .map(({ entry, chosen: { file } }) => ({
          name: normalizeProjectName(entry.name),
          version: entry.version,
          file,
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const warnings = await settle(installation, stored, linked.contested);
      return { installed, warnings: [...noted, ...warnings] };
    }
    if (attempt === MOST_ATTEMPTS) throw keepsChanging(store.root);
    for (const folder of linked?.touched ?? []) suspects.add(folder);
  }
}

/** Holds files against their rows where several wheels, or a wheel that is odd, say something of them. */
async function settle(
  { venv, signal }: Installation,
  stored: readonly WheelToLink[],
  contested: boolean,
): Promise<string[]> {
  const entries = new Map(stored.map(({ entry }) => [entry.info, entry]));
  // What RECORD says of the others was compared when they were unpacked.
  const trusted = (info: string) => entries.get(info)?.oddities.length === 0;
  if (!contested && [...entries.keys()].every(trusted)) {
    await forgetExceptions(venv);
    return [];
  }
  const wheelOf = (info: string) => entries.get(info)?.file ?? info;
  return (await settleRecords(venv, { signal, trusted, wheelOf })).warnings;
}

/** The chosen wheels in the store, in their order. The first failure ends the others. */
async function ensureAll(
  { wheelsFolder, limits, signal, onProgress }: Installation,
  store: WheelStore,
  wanted: {
    chosen: readonly ChosenWheel[];
    sha256Of: (file: string, ends: AbortSignal) => Promise<string>;
    sizes: ReadonlyMap<string, number>;
    suspects: ReadonlySet<string>;
    helpers: readonly StoreHelper[];
    known: ReadonlyMap<string, WheelEntry>;
  },
): Promise<WheelToLink[]> {
  const { chosen, sha256Of, suspects, known } = wanted;
  const sizeOf = ({ file }: ChosenWheel) => wanted.sizes.get(file) ?? 0;
  const total = chosen.reduce((sum, choice) => sum + sizeOf(choice), 0);
  const stored = new Map<ChosenWheel, WheelToLink>();
  const done = new Map<ChosenWheel, number>();
  const tell = (choice: ChosenWheel, bytes: number) => {
    done.set(choice, bytes);
    const sum = [...done.values()].reduce((all, one) => all + one, 0);
    onProgress('unpack', Math.floor(sum * UNPACK_SHARE), total);
  };
  const turns = new Turns();
  const failing = new AbortController();
  const ends = AbortSignal.any([failing.signal, ...(signal ? [signal] : [])]);
  // The largest first: else it would be worked on alone at the end.
  const next = [...chosen].sort((a, b) => sizeOf(b) - sizeOf(a)).values();
  const lane = async (helper: StoreHelper) => {
    for (const choice of next) {
      // While the others are unpacked.
      const sha256 = await sha256Of(choice.file, ends);
      const wheel = await store.ensure(
        { path: path.join(wheelsFolder, choice.file), sha256 },
        {
          ...{ helper, turns, limits, signal: ends, known: known.get(choice.file) },
          isSuspect: suspects.has(store.folderOf(sha256)),
          onProgress: (part, whole) => {
            tell(choice, whole === 0 ? 0 : (sizeOf(choice) * part) / whole);
          },
        },
      );
      stored.set(choice, { ...wheel, chosen: choice });
      tell(choice, sizeOf(choice));
    }
  };
  let fault: { error: unknown } | undefined;
  const lanes = wanted.helpers.map((helper) =>
    lane(helper).catch((error: unknown) => {
      fault ??= { error };
      failing.abort(error);
    }),
  );
  // All end before anything is removed: none may write afterwards.
  await Promise.all(lanes);
  if (fault) throw fault.error;
  return chosen.flatMap((choice) => stored.get(choice) ?? []);
}

function keepsChanging(root: string): RunnerError {
  return new RunnerError(
    'install_failed',
    `Files of the wheel store ${root} keep changing: find out what writes to them, or name another folder as wheelStore`,
    { details: { path: root } },
  );
}
