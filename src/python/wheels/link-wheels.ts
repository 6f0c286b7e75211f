import path from 'node:path';
import { RunnerError } from '../../errors.js';
import type { ChosenWheel } from '../choice/choose.js';
import { finalPython } from '../environments/environment-paths.js';
import { consoleCommands, parseTarget, scriptBody } from '../../package/entry-points.js';
import type { PythonFacts } from '../interpreters/python-facts.js';
import { dataScriptHeader, scriptHeader } from '../environments/scripts.js';
import { runStoreHelper, type HelperOptions } from './store-helper.js';
import type { Venv } from '../types.js';
import type { WheelEntry } from './wheel-entry.js';
import type { StoredWheel } from './wheel-store.js';

/** How a file of the store gets into an environment. */
export type LinkMode = 'reflink' | 'hardlink' | 'copy' | 'move';

/** Ways to be tried, in this order; what was found not to work is not tried again. */
export const LINK_MODES: readonly LinkMode[] = ['reflink', 'hardlink', 'copy'];

/** An unpacked wheel to put into an environment. */
export interface WheelToLink extends StoredWheel {
  chosen: ChosenWheel;
}

/** Where to put them. */
export interface LinkOptions extends HelperOptions {
  venv: Venv;
  facts: PythonFacts;
  /** Names of files, with wildcards, that get no second name. */
  ownFiles: readonly string[];
  ways?: readonly LinkMode[];
  onProgress?: (doneFiles: number) => void;
}

/**
 * Puts unpacked wheels into an environment as PEP 427 says and as pip does it: the root into purelib or platlib,
 * `.data` by its schemes, scripts with this environment's interpreter, then INSTALLER, REQUESTED and RECORD.
 *
 * @returns folders of wheels whose files somebody wrote to; nothing was linked then
 */
export async function linkWheels(wheels: readonly WheelToLink[], options: LinkOptions): Promise<string[]> {
  const { venv, facts, ways = LINK_MODES } = options;
  const request = {
    do: 'link',
    pythonLine: dataScriptHeader(finalPython(venv)),
    ways,
    ownFiles: options.ownFiles,
    wheels: wheels.map(({ entry, folder, chosen }) => ({
      ...{ folder, file: entry.file, info: entry.info, purelib: entry.purelib, requested: chosen.requested },
      schemes: schemesOf(venv, facts, chosen),
      commands: [...Object.keys(entry.scripts.console), ...Object.keys(entry.scripts.gui)],
      wrappers: wrappersOf(entry, venv, facts),
    })),
  };
  const { touched } = await runStoreHelper<{ touched: string[] }>(request, {
    ...options,
    onFault: ({ text, entry: file }) => faulty(file ?? '', text),
  });
  return touched;
}

/** Absolute folder of each scheme a wheel may use. */
function schemesOf(venv: Venv, { schemes }: PythonFacts, chosen: ChosenWheel): Record<string, string> {
  const folders = { ...schemes, headers: path.join(schemes.headers, chosen.writtenName) };
  return Object.fromEntries(
    Object.entries(folders).map(([scheme, folder]) => [scheme, path.join(venv.dir, folder)]),
  );
}

/** Content of the scripts made for entry points, by name. */
function wrappersOf(entry: WheelEntry, venv: Venv, facts: PythonFacts): Record<string, string> {
  const commands = { ...consoleCommands(entry.scripts.console, facts.version), ...entry.scripts.gui };
  return Object.fromEntries(
    Object.entries(commands).map(([name, target]) => {
      const parsed = parseTarget(target);
      if (!parsed || /[\\/]/.test(name)) {
        throw faulty(entry.file, `has an entry point that cannot be a script: ${name} = ${target}`);
      }
      return [name, scriptHeader(finalPython(venv)) + scriptBody(parsed)];
    }),
  );
}

function faulty(file: string, what: string): RunnerError {
  return new RunnerError('install_failed', `${file} ${what}`, { details: { path: file } });
}
