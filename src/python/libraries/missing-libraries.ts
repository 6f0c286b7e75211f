import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { compareNumbers, dottedNumbers } from '../../package/pep440.js';
import { BinaryFault } from '../../package/binaries/binary.js';
import { MachineLibraries, type FoundLibrary, type SearchPlaces } from './machine-libraries.js';
import { isOfWindows } from './windows-libraries.js';

/** A library that compiled files ask for and this machine does not have. */
export interface MissingLibrary {
  /** As they name it: `libGL.so.1`, `MSVCP140.dll`. */
  library: string;
  /** Where the library is there and too old: the version of its interface that is asked for, such as `GLIBC_2.38`. */
  version?: string;
  /** The newest version of that series that the library has. */
  has?: string;
  /** The file of the wheel that asks for it or, `through` others, needs it: relative to the folder, with `/`. */
  neededBy: string;
  /** Libraries on the way from that file to the missing one. */
  through: string[];
  /** Whether an extension module needs it: importing that fails. Otherwise it is a plugin that may never be loaded. */
  byModule: boolean;
}

/** What was found of the compiled files in a folder. */
export interface LibraryReport {
  /** Compiled files that were read. */
  files: number;
  missing: MissingLibrary[];
  /** Files that cannot be what their name says. */
  damaged: { path: string; fault: string }[];
  /** Extension modules of this Python for another processor. */
  foreign: { path: string; arch: string }[];
}

/** How to look. */
export interface LibraryOptions extends OperationOptions {
  /** Program of the interpreter: its own libraries are loaded already. */
  python?: string;
  /** Version of the interpreter: modules for another one are passed over. @defaultValue modules of all are read */
  pythonVersion?: string;
  /** For which system. @defaultValue that of this process */
  platform?: NodeJS.Platform;
  /** For which processor. @defaultValue that of this process */
  arch?: string;
  /** Where libraries of the system are. */
  places?: SearchPlaces;
}

/** What may be compiled, by its name. */
export const COMPILED = /\.so(?:\.[\w.]+)?$|\.(?:pyd|dll)$/i;
/** A module that Python imports: with the tag of its version, of the stable ABI, or without one and not named as a library is. */
const MODULE =
  /\.(?:cpython-[\w-]+|abi3[\w-]*|pypy[\w-]+|cp\d+[\w-]*)\.(?:so|pyd)$|^(?!lib)[^.]+\.(?:so|pyd)$/i;

/**
 * Looks through the compiled files of installed wheels and tells which libraries are missing on this machine: each name that
 * they need (`DT_NEEDED`, the table of imports) is looked for among the files of the wheels, the libraries of the interpreter
 * and those of the system, with all that these need in turn. Nothing is loaded, and nothing of the wheels runs.
 *
 * @param folders - `site-packages` of an environment, or folders with unpacked wheels
 */
export async function findMissingLibraries(
  folders: readonly string[],
  o: LibraryOptions = {},
): Promise<LibraryReport> {
  const { platform = process.platform } = o;
  if (platform !== 'linux' && platform !== 'win32')
    return { files: 0, missing: [], damaged: [], foreign: [] };
  const search = new LibrarySearch(o, platform);
  for (const folder of folders) await search.read(folder);
  await search.trace();
  return search.report;
}

/** A compiled file of the wheels. */
interface OwnFile extends FoundLibrary {
  relative: string;
  isModule: boolean;
}

class LibrarySearch {
  readonly report: LibraryReport = { files: 0, missing: [], damaged: [], foreign: [] };
  readonly #options: LibraryOptions;
  readonly #isWindows: boolean;
  readonly #machine: MachineLibraries;
  readonly #own: OwnFile[] = [];
  /** By the names under which others ask for them. */
  readonly #byName = new Map<string, OwnFile>();
  readonly #loaded = new Set<string>();
  readonly #seen = new Set<string>();

  constructor(o: LibraryOptions, platform: NodeJS.Platform) {
    this.#options = o;
    this.#isWindows = platform === 'win32';
    this.#machine = new MachineLibraries(o.places);
  }

  /** Reads the compiled files of a folder. */
  async read(folder: string): Promise<void> {
    const { signal, pythonVersion, arch = process.arch } = this.#options;
    const [, major, minor] = /^(\d+)\.(\d+)/.exec(pythonVersion ?? '') ?? [];
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      throwIfAborted(signal, 'look at libraries');
      if (!COMPILED.test(entry.name) || !(entry.isFile() || entry.isSymbolicLink())) continue;
      const [, tag] = /\.(?:cpython-|cp)(\d+)/.exec(entry.name) ?? [];
      if (tag !== undefined && major !== undefined && tag !== `${major}${minor}`) continue;
      const file = path.join(entry.parentPath, entry.name);
      const relative = path.relative(folder, file).split(path.sep).join('/');
      const found = await this.#open(file, relative);
      if (!found) continue;
      this.report.files += 1;
      const isModule = MODULE.test(entry.name);
      if (found.binary.arch !== arch) {
        if (isModule && tag !== undefined)
          this.report.foreign.push({ path: relative, arch: found.binary.arch });
        continue;
      }
      const own = { ...found, relative, isModule };
      this.#own.push(own);
      for (const name of [entry.name, found.binary.soname]) {
        if (name !== undefined) this.#byName.set(this.#key(name), own);
      }
    }
  }

  /** Follows what the files need: of modules first, then of the others. */
  async trace(): Promise<void> {
    if (!this.#isWindows) await this.#loadInterpreter();
    for (const byModule of [true, false]) {
      for (const file of this.#own) {
        if (file.isModule === byModule) await this.#follow(file, { neededBy: file.relative, byModule }, []);
      }
    }
  }

  async #open(file: string, relative: string): Promise<FoundLibrary | undefined> {
    try {
      const found = await this.#machine.open(file);
      // A linker's script (libx.so of a folder for development) is text, and nobody loads it.
      if (found && (found.binary.format === 'pe') !== this.#isWindows) return undefined;
      if (!found && MODULE.test(path.basename(file)) && (await stat(file)).isFile()) {
        this.report.damaged.push({ path: relative, fault: 'it is no compiled file' });
      }
      return found;
    } catch (error) {
      const fault =
        error instanceof BinaryFault ? error.message : `it cannot be read: ${(error as Error).message}`;
      this.report.damaged.push({ path: relative, fault });
      return undefined;
    }
  }

  async #follow(
    file: FoundLibrary,
    by: Pick<MissingLibrary, 'neededBy' | 'byModule'>,
    through: readonly string[],
  ): Promise<void> {
    if (this.#seen.has(file.path)) return;
    this.#seen.add(file.path);
    throwIfAborted(this.#options.signal, 'look at libraries');
    for (const library of new Set(file.binary.needed)) {
      const own = this.#byName.get(this.#key(library));
      // A library of the wheels may be loaded before by their own code, wherever it lies.
      const found = own ?? (this.#isWindows ? undefined : await this.#machine.find(library, file));
      if (found) {
        this.#compareVersions(file, found, library, { ...by, through: [...through] });
        await this.#follow(found, by, [...through, library]);
      } else if (!this.#loaded.has(library) && !(this.#isWindows && (await this.#isOfStation(library)))) {
        this.#tell({ library, ...by, through: [...through] });
      }
    }
  }

  /** A library that has no versions serves any (dl_version_check of glibc). */
  #compareVersions(
    file: FoundLibrary,
    { binary: { provides } }: FoundLibrary,
    library: string,
    by: Pick<MissingLibrary, 'neededBy' | 'byModule' | 'through'>,
  ): void {
    if (provides.length === 0) return;
    const wanted = file.binary.versions
      .filter((one) => one.library === library)
      .map(({ version }) => version);
    const lacking = wanted.filter((version) => !provides.includes(version));
    const newest = lacking.sort(byNumbers).at(-1);
    if (newest === undefined) return;
    const series = newest.replace(/[\d.]+$/, '');
    const isOfSeries = (version: string) => version.replace(/[\d.]+$/, '') === series;
    const has = provides.filter(isOfSeries).sort(byNumbers).at(-1);
    this.#tell({ library, version: newest, ...(has !== undefined && { has }), ...by });
  }

  /** Once for each library and version. */
  #tell(missing: MissingLibrary): void {
    const isKnown = ({ library, version }: MissingLibrary) =>
      library === missing.library && version === missing.version;
    if (!this.report.missing.some(isKnown)) this.report.missing.push(missing);
  }

  /** What the interpreter has loaded serves every module by its name. */
  async #loadInterpreter(): Promise<void> {
    const { python } = this.#options;
    const start = python === undefined ? undefined : await this.#machine.open(python).catch(() => undefined);
    const pending = start ? [start] : [];
    for (let file = pending.pop(); file; file = pending.pop()) {
      for (const library of file.binary.needed) {
        if (this.#loaded.has(library)) continue;
        this.#loaded.add(library);
        const found = await this.#machine.find(library, file);
        if (found) pending.push(found);
      }
    }
  }

  async #isOfStation(library: string): Promise<boolean> {
    if (isOfWindows(library)) return true;
    const folders = [
      ...(this.#options.python === undefined ? [] : [path.dirname(this.#options.python)]),
      ...(process.platform === 'win32'
        ? [path.join(process.env.SystemRoot ?? 'C:\\Windows', 'System32')]
        : []),
    ];
    const found = await Promise.all(
      folders.map((folder) => stat(path.join(folder, library)).catch(() => undefined)),
    );
    return found.some((one) => one?.isFile() === true);
  }

  /** Windows does not tell upper from lower case. */
  #key(name: string): string {
    return this.#isWindows ? name.toLowerCase() : name;
  }
}

/** `GLIBC_2.9` before `GLIBC_2.34`. */
function byNumbers(a: string, b: string): number {
  const numbersOf = (text: string) => dottedNumbers(/[\d.]+$/.exec(text)?.[0] ?? '');
  return compareNumbers(numbersOf(a), numbersOf(b));
}
