import { lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isRecord } from '../../arguments.js';
import { decodeUtf8 } from '../../package/text.js';
import { readJson, writeJsonAtomic } from '../../store/atomic-file.js';
import type { Venv } from '../types.js';

/** What Python's own `venv` made in an environment, by path relative to it. */
interface Made {
  /** Of the interpreter, and the name of the folder, which activation scripts show. */
  mark: string;
  folders: string[];
  links: [relative: string, target: string][];
  files: [relative: string, text: string, isProgram: boolean][];
}

/** Scripts and settings take 20 kB; a copy of an interpreter (Windows, macOS) is not remembered. */
const MOST_BYTES = 1 << 18;

/**
 * Environments as Python's own `venv` made them, kept in a file by interpreter: starting Python to have the same dozen of
 * files written again takes longer than all else that a further version of the same wheels needs. They hold as long as
 * `mark` says that the interpreter is the same.
 */
export class RememberedEnvironments {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Makes the environment as it was made before; false where nothing is remembered. */
  async make(venv: Venv, mark: string): Promise<boolean> {
    const made = (await this.#read())[venv.interpreter.path];
    if (!isMade(made) || made.mark !== markOf(venv, mark)) return false;
    try {
      await makeAgain(venv, made);
      return true;
    } catch {
      // What was spoiled, or refused by the system: Python tries it from the start, and says why it cannot.
      await rm(venv.dir, { recursive: true, force: true, maxRetries: 3 });
      return false;
    }
  }

  /** Remembers an environment that was just made and names no place, where it can be made again from this. */
  async remember(venv: Venv, mark: string): Promise<void> {
    const made = await lookAt(venv, markOf(venv, mark));
    if (!made) return;
    const all = { ...(await this.#read()), [venv.interpreter.path]: made };
    await writeJsonAtomic(this.#file, all, 'none').catch(() => undefined); // a memory only
  }

  async #read(): Promise<Record<string, unknown>> {
    const value = await readJson(this.#file).catch(() => undefined);
    return isRecord(value) ? value : {};
  }
}

async function makeAgain(venv: Venv, made: Made): Promise<void> {
  const at = (relative: string) => path.join(venv.dir, relative);
  await mkdir(venv.dir, { recursive: true });
  for (const folder of made.folders) await mkdir(at(folder));
  const writing = [
    ...made.links.map(([relative, target]) => symlink(target, at(relative))),
    ...made.files.map(([relative, text, isProgram]) =>
      writeFile(at(relative), text, { flag: 'wx', mode: isProgram ? 0o777 : 0o666 }),
    ),
  ];
  // All of them end before anything is removed.
  const failed = (await Promise.allSettled(writing)).find(({ status }) => status === 'rejected');
  if (failed) throw (failed as PromiseRejectedResult).reason as Error;
}

/** A file that somebody spoiled is worth no more than none. */
function isMade(value: unknown): value is Made {
  if (!isRecord(value)) return false;
  const { mark, folders, links, files } = value;
  const areTexts = (list: unknown, most: number) =>
    Array.isArray(list) && list.slice(0, most).every((one) => typeof one === 'string');
  const areRows = (rows: unknown) =>
    Array.isArray(rows) && rows.every((row) => areTexts(row, 2) && (row as unknown[]).length >= 2);
  if (typeof mark !== 'string' || !areTexts(folders, Infinity) || !areRows(links) || !areRows(files))
    return false;
  const rows = [...(links as string[][]), ...(files as string[][])];
  return [...(folders as string[]), ...rows.map(([relative = '']) => relative)].every(staysInside);
}

function staysInside(relative: string): boolean {
  return !path.isAbsolute(relative) && !relative.split(/[\\/]/).includes('..');
}

function markOf({ dir }: Venv, mark: string): string {
  // The number is that of the format.
  return [1, mark, path.basename(dir)].join('/');
}

/** Undefined where the environment holds more than text, or something in it names the place where it is. */
async function lookAt(venv: Venv, mark: string): Promise<Made | undefined> {
  const made: Made = { mark, folders: [], links: [], files: [] };
  const place = path.dirname(venv.dir) + path.sep;
  // An interpreter that came with the package goes with it.
  if (venv.interpreter.path.startsWith(place)) return undefined;
  let bytes = 0;
  // Grows while it is gone through.
  const folders = [''];
  for (const folder of folders) {
    for (const name of (await readdir(path.join(venv.dir, folder))).sort()) {
      const relative = path.join(folder, name);
      const file = path.join(venv.dir, relative);
      const found = await lstat(file);
      if (found.isDirectory()) {
        made.folders.push(relative);
        folders.push(relative);
      } else if (found.isSymbolicLink()) {
        const target = await readlink(file);
        if (target.startsWith(place)) return undefined;
        made.links.push([relative, target]);
      } else {
        bytes += found.size;
        if (!found.isFile() || bytes > MOST_BYTES) return undefined;
        const text = decodeUtf8(await readFile(file));
        if (text === undefined || text.includes(place)) return undefined;
        made.files.push([relative, text, (found.mode & 0o100) !== 0]);
      }
    }
  }
  return made;
}
