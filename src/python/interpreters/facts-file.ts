import type { Stats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { isRecord } from '../../arguments.js';
import { ownBootId } from '../../process/identity.js';
import { readJson, writeJsonAtomic } from '../../store/atomic-file.js';
import { errnoCode } from '../../store/errno.js';
import type { PythonFacts } from './python-facts.js';

/**
 * Facts of interpreters, remembered between processes. They hold as long as the executable and the folder that its pip
 * lies in are the same, and no longer than the system runs: what it accepts depends on the C library too.
 */
export class FactsFile {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Facts of the interpreter at this path, if nothing has changed since. */
  async get(path: string, mark: string): Promise<PythonFacts | undefined> {
    const found = (await this.#read())[path];
    // A file that somebody spoiled is worth no more than none.
    if (!isRecord(found) || !isRecord(found.facts) || !Array.isArray(found.facts.pips)) return undefined;
    const facts = found.facts as unknown as PythonFacts;
    return found.mark === (await fullMark(mark, facts)) ? facts : undefined;
  }

  /** Remembers; another process's addition at the same moment may be lost, and is then asked for again. */
  async set(path: string, mark: string, facts: PythonFacts): Promise<void> {
    const all = await this.#read();
    all[path] = { mark: await fullMark(mark, facts), facts };
    await writeJsonAtomic(this.#file, all, 'none').catch(() => undefined); // a memory only
  }

  async #read(): Promise<Record<string, unknown>> {
    const value = await readJson(this.#file).catch(() => undefined);
    return isRecord(value) ? { ...value } : {};
  }
}

/** What tells the file of an interpreter from another at its path; undefined where there is no file. */
export async function markOfFile(path: string): Promise<string | undefined> {
  const file = await statProgram(path);
  return file && [file.mtimeMs, file.size, file.ino].join('/');
}

/**
 * What the system tells of a program; undefined for what is none. On Windows an alias of the Microsoft Store can be started and
 * seen, not followed (EACCES).
 */
export async function statProgram(
  path: string,
  platform: NodeJS.Platform = process.platform,
): Promise<Stats | undefined> {
  try {
    const file = await stat(path);
    return file.isFile() ? file : undefined;
  } catch (error) {
    const isAlias = platform === 'win32' && errnoCode(error) === 'EACCES';
    return isAlias ? lstat(path).catch(() => undefined) : undefined;
  }
}

/**
 * What an interpreter is the same by: as long as this is, its facts hold, and what else is remembered of it. `mark` may be
 * that of a shim, which stays the same when the interpreter that it stands for is replaced or removed.
 */
export async function fullMark(mark: string, facts: PythonFacts): Promise<string> {
  const library = facts.pips[0]?.location;
  const changed = library === undefined ? undefined : await stat(library).catch(() => undefined);
  const base = await markOfFile(facts.base);
  // The number is that of the format: facts of another are asked for anew.
  return [4, mark, base, await ownBootId(), library, changed?.mtimeMs].join('/');
}
