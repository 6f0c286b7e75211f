import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../errors.js';
import { parseCsv } from './csv.js';
import type { Label } from './types.js';

/** A picture and what it is labelled with. */
export interface LabelledPicture {
  /** Relative to the folder or list, with `/`. */
  name: string;
  /** Its path. */
  file: string;
  expected: Label;
}

export interface FoundPictures {
  pictures: LabelledPicture[];
  /** Files with another ending, relative to the folder. */
  ignored: string[];
}

const LABELS: readonly Label[] = ['OK', 'NG'];
const ENDINGS = ['.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp'];

/** @throws RunnerError `invalid_params` when there is none, or the list cannot be used */
export async function findPictures(folder: string): Promise<FoundPictures> {
  const found = folder.toLowerCase().endsWith('.csv') ? await fromList(folder) : await fromFolders(folder);
  if (found.pictures.length > 0) return found;
  throw unusable(`${folder} has no picture (${ENDINGS.join(', ')})`);
}

async function fromFolders(folder: string): Promise<FoundPictures> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    const isFile = (cause as NodeJS.ErrnoException).code === 'ENOTDIR';
    const why = isFile ? 'is neither a folder nor a CSV file' : `cannot be read: ${(cause as Error).message}`;
    throw unusable(`${folder} ${why}`, cause);
  });
  const found: FoundPictures = { pictures: [], ignored: [] };
  const labelled = entries.flatMap(({ name }) => {
    const expected = labelOf(name);
    return expected ? [{ name, expected }] : [];
  });
  if (labelled.length === 0) {
    throw unusable(
      `${folder} has neither a folder OK nor a folder NG: put good pictures into OK and bad ones into NG, or name a CSV file with the columns file and verdict`,
    );
  }
  for (const { name, expected } of labelled) {
    const below = await readdir(path.join(folder, name), { recursive: true, withFileTypes: true });
    for (const entry of below) {
      if (entry.name.startsWith('.') || entry.isDirectory()) continue;
      const file = path.join(entry.parentPath, entry.name);
      const shown = path.relative(folder, file).split(path.sep).join('/');
      if (isPictureFile(entry.name)) found.pictures.push({ name: shown, file, expected });
      else found.ignored.push(shown);
    }
  }
  // The order of a folder is that of its file system: the seed must give the same order on each machine.
  found.pictures.sort((a, b) => (a.name < b.name ? -1 : 1));
  return found;
}

async function fromList(list: string): Promise<FoundPictures> {
  const text = await readFile(list, 'utf8').catch((cause: unknown) => {
    throw unusable(`${list} cannot be read: ${(cause as Error).message}`, cause);
  });
  const parsed = parseCsv(text);
  if (!parsed) throw unusable(`${list} is no CSV: a field in quotes does not end, or goes on after its end`);
  const [head = [], ...rows] = parsed;
  const titles = head.map((title) => title.trim().toLowerCase());
  const [fileAt, verdictAt] = [titles.indexOf('file'), titles.indexOf('verdict')];
  if (fileAt === -1 || verdictAt === -1) {
    throw unusable(
      `${list} must begin with a line that names the columns file and verdict, and begins with ${head.slice(0, 5).join(', ').slice(0, 80) || 'nothing'}`,
    );
  }
  const seen = new Set<string>();
  const pictures = rows.map((row, index) => {
    const name = (row[fileAt] ?? '').trim();
    const verdict = (row[verdictAt] ?? '').trim();
    const expected = labelOf(verdict);
    if (name === '' || !expected) {
      throw unusable(
        `${list}: row ${index + 2} must have a file and the verdict OK or NG, and has ${name || 'no file'} and ${verdict.slice(0, 40) || 'no verdict'}`,
      );
    }
    if (seen.has(name)) throw unusable(`${list}: row ${index + 2} names ${name} a second time`);
    seen.add(name);
    return { name, file: path.resolve(path.dirname(list), name), expected };
  });
  return { pictures, ignored: [] };
}

function labelOf(text: string): Label | undefined {
  return LABELS.find((label) => label === text.toUpperCase());
}

function isPictureFile(name: string): boolean {
  return ENDINGS.includes(path.extname(name).toLowerCase());
}

function unusable(message: string, cause?: unknown): RunnerError {
  return new RunnerError('invalid_params', message, { cause, details: { path: 'folder' } });
}

/** The same pictures in an order that the seed fixes (Fisher and Yates, numbers by xorshift32). */
export function shuffled<T>(list: readonly T[], seed: number): T[] {
  const order = [...list];
  let state = seed;
  for (let last = order.length - 1; last > 0; last--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = (state >>> 0) % (last + 1);
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}
