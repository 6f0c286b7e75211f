import { existsSync } from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { RunnerError } from './errors.js';
import { nodeModule } from './node-modules.js';

/** One of the files that ship beside the compiled modules: where it is, the others are. */
const MARK = 'worker/launch.py';
/** Electron's archive: only Electron reads in it. What other programs read lies beside it. */
const ASAR = /\.asar(?=[\\/]|$)/;
/** A package in Yarn's cache: only Node under Yarn's Plug'n'Play reads in it. */
const IN_A_ZIP = /\.zip(?=[\\/])/;

const checked = new Set<string>();
/** That of the option `assets`: the files of a program lie in one place for the whole process. */
let chosen: string | undefined;

/**
 * Takes the folder of the option `assets`.
 *
 * @throws RunnerError `invalid_params` where the files are not in it, or another folder is in use in this process
 */
export function useAssets(folder: string | undefined): void {
  if (folder === undefined) return;
  const absolute = path.resolve(folder);
  if (chosen !== undefined && chosen !== absolute) {
    throw new RunnerError(
      'invalid_params',
      `assets is ${absolute}, but this process uses ${chosen} already: give all parts the same folder`,
      { details: { path: 'assets' } },
    );
  }
  if (!existsSync(path.join(absolute, MARK))) {
    throw new RunnerError(
      'invalid_params',
      `assets: ${absolute} has no ${MARK}. It must be a copy of the folder dist of procvision-runner`,
      { details: { path: 'assets' } },
    );
  }
  chosen = absolute;
}

/**
 * Absolute path of a file that ships beside the compiled modules, such as `validation/probe.py`.
 * This is the one place that knows where the package lies on disk; in a bundle it does not, and the host says so by the
 * option `assets` or the variable `PROCVISION_ASSETS`.
 *
 * @throws RunnerError `start_failed` where the files are not there
 */
export function assetPath(relative: string): string {
  const given = chosen ?? process.env.PROCVISION_ASSETS;
  const folder = given ? path.resolve(given) : ownFolder();
  if (!checked.has(folder)) {
    if (IN_A_ZIP.test(folder)) throw packed(folder);
    if (!existsSync(path.join(folder, MARK))) throw noAssets(folder);
    checked.add(folder);
  }
  return path.join(folder, relative);
}

/**
 * An optional package (koffi, sharp, @opentelemetry/api), looked for from the files of this library, as Node does it: in a bundle that is the
 * folder of `assets`. A bundler does not see it, so it takes no native module in.
 *
 * @throws Error `MODULE_NOT_FOUND` where it is not installed
 */
export function loadPeer(name: string): unknown {
  return module.createRequire(assetPath('index.js'))(name);
}

/**
 * What an optional peer exports.
 *
 * @param use - who needs it, such as `connectFleet()`
 * @throws RunnerError `invalid_params` with the command that installs it
 */
export function requirePeer(
  use: string,
  name: string,
  o: { load?: (name: string) => unknown; install?: string; besides?: string } = {},
): unknown {
  const { load = loadPeer, install = name, besides } = o;
  try {
    return load(name);
  } catch (cause) {
    throw new RunnerError(
      'invalid_params',
      `${use} needs the package ${name}, which is not installed: npm install ${install}${besides === undefined ? '' : `. ${besides}`}`,
      { cause, details: { path: name } },
    );
  }
}

function ownFolder(): string {
  // Bundlers that write CommonJS leave `import.meta` empty.
  const url = import.meta.url as string | undefined;
  const folder = url?.startsWith('file:')
    ? path.dirname(fileURLToPath(url))
    : path.dirname(process.argv[1] ?? '.');
  return onDisk(folder).replace(ASAR, '.asar.unpacked');
}

/** Under Plug'n'Play a package with peers is loaded by a path that is on no disk (`__virtual__`). */
function onDisk(folder: string): string {
  const { findPnpApi } = nodeModule('node:module') as { findPnpApi?: (file: string) => PnpApi | null };
  return findPnpApi?.(folder)?.resolveVirtual?.(folder) ?? folder;
}

/** The part of Yarn's `pnpapi` that is used here. */
interface PnpApi {
  resolveVirtual?(file: string): string | null;
}

function packed(folder: string): RunnerError {
  return new RunnerError(
    'start_failed',
    `The Python files of procvision-runner are packed in ${folder}, where Python cannot read them. Unpack the package: ` +
      'yarn unplug procvision-runner',
    { details: { path: folder } },
  );
}

function noAssets(folder: string): RunnerError {
  return new RunnerError(
    'start_failed',
    `The Python files of procvision-runner are not in ${folder}: a bundler leaves them out. Ship the folder dist of the ` +
      'package with the bundle, and name it in the option assets or in the environment variable PROCVISION_ASSETS',
    { details: { path: folder } },
  );
}
