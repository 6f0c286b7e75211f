import { constants } from 'node:fs';
import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { isRecord } from '../../arguments.js';
import { decodeUtf8 } from '../../package/text.js';
import { readJson, writeJsonAtomic } from '../../store/atomic-file.js';
import { markOfFile } from '../interpreters/facts-file.js';
import type { Venv } from '../types.js';

/** What Python's own `venv` made in an environment, by path relative to it. */
interface Made {
  /** Of the interpreter, and the name of the folder, which activation scripts show. */
  mark: string;
  folders: string[];
  links: [relative: string, target: string][];
  files: [relative: string, text: string, isProgram: boolean][];
  /** Copies of the interpreter, or of programs that come with it for that (Windows), and the marks of these. */
  copies: [relative: string, name: string, mark: string][];
}

/** Scripts and settings take 20 kB; a copy of an interpreter (macOS) is not remembered. */
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
  for (const [, name, mark] of made.copies)
    if ((await markOfFile(programOf(venv, name))) !== mark) throw new Error(`${name} is another`);
  const writing = [
    ...made.copies.map(([relative, name]) =>
      copyFile(programOf(venv, name), at(relative), constants.COPYFILE_EXCL),
    ),
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
  const { mark, folders, links, files, copies } = value;
  const areTexts = (list: unknown, most: number) =>
    Array.isArray(list) && list.slice(0, most).every((one) => typeof one === 'string');
  const areRows = (rows: unknown) =>
    Array.isArray(rows) && rows.every((row) => areTexts(row, 2) && (row as unknown[]).length >= 2);
  if (typeof mark !== 'string' || !areTexts(folders, Infinity)) return false;
  if (!areRows(links) || !areRows(files) || !areRows(copies)) return false;
  const rows = [...(links as string[][]), ...(files as string[][]), ...(copies as string[][])];
  if (!(copies as unknown[][]).every(([, name]) => name === path.basename(String(name)))) return false;
  return [...(folders as string[]), ...rows.map(([relative = '']) => relative)].every(staysInside);
}

function staysInside(relative: string): boolean {
  return !path.isAbsolute(relative) && !relative.split(/[\\/]/).includes('..');
}

function markOf({ dir }: Venv, mark: string): string {
  // The number is that of the format.
  return [2, mark, path.basename(dir)].join('/');
}

/** Undefined where the environment holds more than text, or something in it names the place where it is. */
async function lookAt(venv: Venv, mark: string): Promise<Made | undefined> {
  const made: Made = { mark, folders: [], links: [], files: [], copies: [] };
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
        if (!found.isFile()) return undefined;
        const program = /\.exe$/i.test(name) ? await copiedProgram(venv, file, found.size) : undefined;
        if (program) {
          made.copies.push([relative, program.name, program.mark]);
          continue;
        }
        bytes += found.size;
        if (bytes > MOST_BYTES) return undefined;
        const text = decodeUtf8(await readFile(file));
        if (text === undefined || text.includes(place)) return undefined;
        made.files.push([relative, text, (found.mode & 0o100) !== 0]);
      }
    }
  }
  return made;
}

/** Where an installation of Windows keeps the programs that `venv` copies into an environment; elsewhere there is no such folder. */
const programsOf = ({ interpreter }: Venv): string =>
  path.join(path.dirname(interpreter.path), 'Lib', 'venv', 'scripts', 'nt');

/** A program there; without a name the interpreter itself. */
const programOf = (venv: Venv, name: string): string =>
  name === '' ? venv.interpreter.path : path.join(programsOf(venv), name);

/** Name and mark of the program that this file is a copy of; undefined for what is none. */
async function copiedProgram(
  venv: Venv,
  file: string,
  size: number,
): Promise<{ name: string; mark: string } | undefined> {
  for (const name of ['', ...(await readdir(programsOf(venv)).catch(() => []))]) {
    const program = programOf(venv, name);
    const mark = await markOfFile(program);
    if (mark === undefined || (await lstat(program)).size !== size) continue;
    if ((await readFile(file)).equals(await readFile(program))) return { name, mark };
  }
  return undefined;
}
