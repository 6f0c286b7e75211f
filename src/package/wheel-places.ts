import type { RunnerError } from '../errors.js';
import type { OperationOptions } from '../abort.js';
import type { Archive } from './archive-types.js';
import { quote, zipFault } from './archive/fault.js';
import { commandOf, parseEntryPoints } from './entry-points.js';
import { shown } from './text.js';
import { normalizeProjectName } from './wheel-name.js';

/** What to do about a wheel that would take the place of something of the environment. */
const TAKE_OUT =
  'Ask the maker of the wheel for one without it, or take the wheel out, and pack the package again';
/** Endings under which Windows starts or reads a file by its plain name. */
const COMMAND_ENDING = /(?:\.(?:exe|com|bat|cmd|ps1|pya?|pyw)|-script\.pyw?)$/;
/** `python`, `pythonw`, `python3`, `python3.13t`, `pypy3`, and what Python 3.14 calls its interpreter besides. */
const INTERPRETER = /^(?:pythonw?(?:3(?:\.\d+)?t?)?(?:_d)?|pypy(?:3(?:\.\d+)?)?w?|𝜋thon)$/u;
const PIP = /^pip(?:3(?:\.\d+)?)?$/;
/** What an interpreter reads beside its own file, before any module: where its libraries are. */
const BESIDE_INTERPRETER =
  /^(?:pyvenv\.cfg|pybuilddir\.txt|python\d*(?:\.\d+)?\._pth|python\d+t?(?:_d)?\.dll)$/;
/** Modules that every interpreter of the environment imports at its start. */
const AT_START = /^(?:sitecustomize|usercustomize)(?:\.|$)/;
/** At the top of an environment; the last is where unpacked wheels wait to be moved to their places. */
const TOP_OF_ENVIRONMENT = /^(?:pyvenv\.cfg|\.gitignore|bin|scripts|lib|lib64|include|\.wheels)$/;

/** Most a list of entry points is read of. */
const MOST_BYTES = 1024 * 1024;

/**
 * Refuses a wheel that would put something in the place of the environment's own files: its interpreter, what that reads
 * or imports at its start, its activation scripts, its pip. All that bounds a worker is entered by that interpreter. Names
 * are compared as Windows does, since a package goes to stations of both kinds.
 *
 * @throws RunnerError `invalid_zip` naming the file and the rule
 */
export async function checkPlaces(
  archive: Archive,
  project: string,
  { signal }: OperationOptions = {},
): Promise<void> {
  const isPip = normalizeProjectName(project) === 'pip';
  for (const { name, isDirectory } of archive.entries) {
    const taken = isDirectory ? undefined : takenBy(name, isPip);
    if (taken !== undefined) throw refusal(archive, `would take the place of ${taken}`, name);
    if (isEntryPoints(name)) await checkCommands(archive, name, isPip, signal);
  }
}

async function checkCommands(
  archive: Archive,
  file: string,
  isPip: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const entry = archive.get(file);
  if (!entry) return;
  const text = (await archive.read(entry, { signal, maxBytes: MOST_BYTES })).toString('utf8');
  const { console, gui } = parseEntryPoints(text);
  for (const [asked, target] of [...Object.entries(console), ...Object.entries(gui)]) {
    // What cannot be a script for pip of today may be one for an older pip.
    const command = commandOf(asked, target)?.name ?? asked;
    const fault = /[\\/]/.test(command)
      ? 'which lies in another folder'
      : takenScript(command.trim().toLowerCase(), isPip);
    if (fault === undefined) continue;
    const why = fault.startsWith('which') ? fault : `which would take the place of ${fault}`;
    throw refusal(archive, `asks for the command ${quote(command)}, ${why}`, file);
  }
}

function refusal(archive: Archive, fault: string, entry: string): RunnerError {
  return zipFault(archive.path, fault, entry, { remedy: TAKE_OUT });
}

function isEntryPoints(name: string): boolean {
  return name.endsWith('/entry_points.txt') && /^[^/]+\.dist-info\/entry_points\.txt$/.test(name);
}

/** What of the environment a file of a wheel would replace. */
function takenBy(name: string, isPip: boolean): string | undefined {
  const end = name.indexOf('/');
  const top = end < 0 ? name : name.slice(0, end);
  if (end < 0 || !top.endsWith('.data')) return takenModule(top.toLowerCase());
  const [scheme = '', ...rest] = name.slice(end + 1).split('/');
  const folded = rest.map((part) => part.toLowerCase());
  switch (scheme) {
    case 'purelib':
    case 'platlib':
      return takenModule(folded[0] ?? '');
    case 'scripts':
      return folded.length === 1 ? takenScript(folded[0] ?? '', isPip) : undefined;
    case 'data':
      return takenAtTop(folded, isPip);
    default:
      return undefined;
  }
}

/** A file below the folder of the environment, its path in lower case. */
function takenAtTop(path: readonly string[], isPip: boolean): string | undefined {
  const [first = '', ...rest] = path;
  if (rest.length === 0) {
    if (TOP_OF_ENVIRONMENT.test(first)) return `${shown(first)} of the environment`;
    return BESIDE_INTERPRETER.test(first) ? `${shown(first)}, which the interpreter reads` : undefined;
  }
  if (first === '.wheels') return 'the folder in which wheels are unpacked';
  if (first === 'bin' || first === 'scripts')
    return rest.length === 1 ? takenScript(rest[0] ?? '', isPip) : undefined;
  if (first !== 'lib' && first !== 'lib64') return undefined;
  // `lib/python3.11/site-packages` and, on Windows, `Lib/site-packages`.
  const library = rest.indexOf('site-packages');
  if (library === 0 || library === 1) {
    return rest.length === library + 1 ? 'the folder of packages' : takenModule(rest[library + 1] ?? '');
  }
  return undefined;
}

/** A file in the folder of scripts, its name in lower case. */
function takenScript(name: string, isPip: boolean): string | undefined {
  if (BESIDE_INTERPRETER.test(name)) return `${shown(name)}, which the interpreter reads`;
  if (/^activate(?:\.|$)/.test(name) || /^deactivate\.bat$/.test(name))
    return `the environment's script ${shown(name)}`;
  const command = name.replace(COMMAND_ENDING, '');
  if (INTERPRETER.test(name) || INTERPRETER.test(command)) return "the environment's interpreter";
  if (/^activate(?:\.|$)/.test(command)) return `the environment's script ${shown(command)}`;
  return !isPip && (PIP.test(name) || PIP.test(command)) ? 'pip' : undefined;
}

/** A file or folder at the top of site-packages, its name in lower case. */
function takenModule(name: string): string | undefined {
  return AT_START.test(name) ? `a module that every start of Python imports (${shown(name)})` : undefined;
}

/** Byte code: never installed. What ships with a package may be of other source than the one beside it. */
export function isByteCode(name: string): boolean {
  return name.length > 4 && /\.py[co]$/i.test(name);
}
