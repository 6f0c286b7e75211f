import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import { isByteCode } from '../../package/wheel-places.js';
import { readJson, writeFileAtomic, writeJsonAtomic } from '../../store/atomic-file.js';
import type { Venv } from '../types.js';
import { distInfos, formatRecord, parseRecord, plainPath, recordRows, type RecordRow } from './record.js';

/**
 * Files of an environment that differ from their RECORD: path relative to the environment to hash, null for a file
 * that a RECORD lists and no wheel had. RECORD itself stays as pip writes it.
 */
const EXCEPTIONS_FILE = '.procvision-records.json';

/** A file of an environment, and every row about it. */
interface OwnedFile {
  /** Absolute. */
  file: string;
  /** Rows, and the `.dist-info` of each. */
  rows: { info: string; row: RecordRow }[];
}

/** What was found when the records of an environment were held against its files. */
export interface SettledRecords {
  /** For the person who deploys: files of two wheels, rows that are wrong. */
  warnings: string[];
}

/** The file a row is about: builders write `./a`, `/a` and `a\b` too. Undefined for one outside the environment. */
export function fileOfRow(
  venv: Pick<Venv, 'dir' | 'sitePackages'>,
  row: { path: string },
): string | undefined {
  const inside = (file: string) => (file.startsWith(venv.dir + path.sep) ? file : undefined);
  if (path.isAbsolute(row.path) && inside(path.resolve(row.path))) return path.resolve(row.path);
  return inside(path.resolve(venv.sitePackages, plainPath(row.path)));
}

/** The exceptions of an environment, by path relative to it, with `/`. */
export async function readExceptions(venv: Pick<Venv, 'dir'>): Promise<Map<string, string | null>> {
  const value = await readJson(path.join(venv.dir, EXCEPTIONS_FILE)).catch(() => undefined);
  const files = typeof value === 'object' && value !== null && 'files' in value ? value.files : undefined;
  const isExpected = (pair: [string, unknown]): pair is [string, string | null] =>
    typeof pair[1] === 'string' || pair[1] === null;
  return new Map(typeof files === 'object' && files !== null ? Object.entries(files).filter(isExpected) : []);
}

/**
 * Holds what was just installed against its RECORDs, and remembers where they do not tell the truth: of a file that two
 * wheels own, of METADATA, of sizes and of files that are not there, at which pip does not look either. Byte code that
 * wheels brought goes. Of projects that are `trusted` only what two rows contradict each other in is read.
 *
 * @throws RunnerError `install_failed` naming project and row, for code that differs from its RECORD
 */
export async function settleRecords(
  venv: Venv,
  options: OperationOptions & { trusted: (info: string) => boolean; wheelOf: (info: string) => string },
): Promise<SettledRecords> {
  const { trusted, wheelOf, signal } = options;
  const infos = await distInfos(venv.sitePackages);
  // RECORDs are read twice: the rows of all projects at once take more memory than the rest of an install.
  const seen = new Set<string>();
  const contested = new Map<string, OwnedFile>();
  for (const info of infos) {
    for (const { file } of ownedFiles(venv, info, await withoutByteCode(venv, info))) {
      if (seen.has(file)) contested.set(file, { file, rows: [] });
      else seen.add(file);
    }
  }
  seen.clear();
  const exceptions: Record<string, string | null> = {};
  const warnings: string[] = [];
  const compare = async (files: OwnedFile[]) => {
    const next = files.values();
    const lane = async () => {
      for (const one of next) {
        throwIfAborted(signal, 'check of installed files');
        const found = await look(venv, one, wheelOf);
        if (found.expected !== undefined)
          exceptions[path.relative(venv.dir, one.file).split(path.sep).join('/')] = found.expected;
        if (found.warning !== undefined) warnings.push(found.warning);
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
  };
  for (const info of infos) {
    const untrusted: OwnedFile[] = [];
    for (const { file, row } of ownedFiles(venv, info, await readRecord(venv, info))) {
      const shared = contested.get(file);
      if (shared) shared.rows.push({ info, row });
      else if (!trusted(info) || isInData(row)) untrusted.push({ file, rows: [{ info, row }] });
    }
    await compare(untrusted);
  }
  await compare([...contested.values()].filter((one) => !isAgreed(one, trusted)));
  if (Object.keys(exceptions).length === 0) await forgetExceptions(venv);
  else await writeJsonAtomic(path.join(venv.dir, EXCEPTIONS_FILE), { format: 1, files: exceptions }, 'none');
  return { warnings: warnings.sort() };
}

/** Of an environment whose RECORDs all tell the truth. */
export async function forgetExceptions(venv: Pick<Venv, 'dir'>): Promise<void> {
  await rm(path.join(venv.dir, EXCEPTIONS_FILE), { force: true });
}

/** The files of a project with their rows, its own RECORD left out. */
function* ownedFiles(
  venv: Venv,
  info: string,
  record: string,
): Generator<{ file: string; row: RecordRow }, void, undefined> {
  for (const row of recordRows(record)) {
    const file = isOwnRecord(info, row) ? undefined : fileOfRow(venv, row);
    if (file !== undefined) yield { file, row };
  }
}

/** Whether rows of one trusted project say the same of a file. */
function isAgreed({ rows }: OwnedFile, trusted: (info: string) => boolean): boolean {
  const hashes = new Set(rows.flatMap(({ row }) => (row.hash === '' ? [] : [bare(row.hash)])));
  const owners = new Set(rows.map(({ info }) => info));
  const isTrusted = rows.every(({ info, row }) => trusted(info) && !isInData(row));
  return hashes.size <= 1 && owners.size <= 1 && isTrusted;
}

/** What a file is like against its rows: an exception to them, a warning. */
async function look(
  venv: Venv,
  { file, rows }: OwnedFile,
  wheelOf: (info: string) => string,
): Promise<{ expected?: string | null; warning?: string }> {
  const { row: first, info } = rows[0] ?? { row: { path: '', hash: '', size: '' }, info: '' };
  const shown = path.relative(venv.sitePackages, file).split(path.sep).join('/');
  const algorithms = new Set(rows.map(({ row }) => row.hash.split('=', 1)[0] ?? ''));
  const found = await hashesOf(file, algorithms);
  if (!found) {
    const warning = `${wheelOf(info)}: its RECORD lists ${shown}, which is not there`;
    return { expected: null, warning };
  }
  const matches = rows.filter(
    ({ row }) => row.hash === '' || bare(row.hash) === found.by.get(row.hash.split('=', 1)[0] ?? ''),
  );
  const isRight = ({ row }: OwnedFile['rows'][number]) => row.size === '' || Number(row.size) === found.bytes;
  const owners = [...new Set(rows.map((one) => one.info))];
  if (owners.length > 1) {
    const hashed = rows.filter(({ row }) => row.hash !== '');
    if (hashed.length > 0 && matches.length === 0) throw damaged(wheelOf(info), shown, venv);
    const isSame = matches.length === rows.length;
    const [winner = owners[0]] = matches.filter(({ row }) => row.hash !== '').map((one) => one.info);
    if (isSame) return {};
    const names = owners.map(wheelOf).sort();
    return {
      expected: found.sha256,
      warning: `${shown} is in ${names.join(' and in ')}: what is installed is that of ${wheelOf(winner ?? '')}, as with pip`,
    };
  }
  if (matches.length === rows.length && rows.every(isRight)) return {};
  if (matches.length > 0) {
    // A file of `.data` in the place of one of the root, INSTALLER, a wrong size.
    const isWrongSize = matches.length === rows.length;
    return {
      expected: found.sha256,
      ...(isWrongSize && {
        warning: `${wheelOf(info)}: ${shown} has ${found.bytes} bytes, its RECORD says ${first.size}`,
      }),
    };
  }
  if (!isDescription(venv, info, file)) throw damaged(wheelOf(info), shown, venv);
  return { expected: found.sha256, warning: `${wheelOf(info)}: ${shown} differs from its RECORD` };
}

function damaged(wheel: string, file: string, venv: Venv): RunnerError {
  return new RunnerError(
    'install_failed',
    `${wheel} has a ${file} that differs from its RECORD. Have the wheel built or delivered again`,
    {
      details: {
        path: venv.dir,
        stage: 'verify',
        issues: [{ path: file, message: 'differs from its RECORD' }],
      },
    },
  );
}

/** Whether a file only tells about its project: it is no code, and does not say what code is run. */
function isDescription(venv: Venv, info: string, file: string): boolean {
  const folder = path.join(venv.sitePackages, info);
  return file.startsWith(folder + path.sep) && !['WHEEL', 'entry_points.txt'].includes(path.basename(file));
}

function readRecord(venv: Venv, info: string): Promise<string> {
  return readFile(path.join(venv.sitePackages, info, 'RECORD'), 'utf8').catch(() => '');
}

/** A RECORD without the rows of byte code, which is removed with them. */
async function withoutByteCode(venv: Venv, info: string): Promise<string> {
  const text = await readRecord(venv, info);
  if (!/\.py[co]"?,/i.test(text)) return text;
  const rows = parseRecord(text);
  for (const row of rows.filter((one) => isByteCode(one.path))) {
    const file = fileOfRow(venv, row);
    if (file === undefined) continue;
    await rm(file, { force: true });
    await rmdir(path.dirname(file)).catch(() => undefined); // a __pycache__ that is empty now
  }
  const kept = formatRecord(rows.filter((row) => !isByteCode(row.path)));
  await writeFileAtomic(path.join(venv.sitePackages, info, 'RECORD'), kept, 'none');
  return kept;
}

function isOwnRecord(info: string, row: RecordRow): boolean {
  return plainPath(row.path) === `${info}/RECORD`;
}

/**
 * A row that still names a file of `.data`: of a script that the entry point of its name replaces. Installers move all
 * others, and write where to.
 */
function isInData(row: RecordRow): boolean {
  return /^[^/]+\.data\//.test(plainPath(row.path));
}

/** A hash without the padding that some builders write. */
function bare(hash: string): string {
  return hash.replace(/=+$/, '');
}

async function hashesOf(
  file: string,
  algorithms: ReadonlySet<string>,
): Promise<{ by: Map<string, string>; sha256: string; bytes: number } | undefined> {
  const wanted = [...new Set(['sha256', ...algorithms])].filter((name) => name !== '');
  try {
    const hashes = wanted.map((name) => [name, createHash(name)] as const);
    let bytes = 0;
    const options = { highWaterMark: 256 * 1024 };
    for await (const chunk of createReadStream(file, options) as AsyncIterable<Buffer>) {
      for (const [, hash] of hashes) hash.update(chunk);
      bytes += chunk.length;
    }
    const by = new Map(hashes.map(([name, hash]) => [name, `${name}=${hash.digest('base64url')}`]));
    return { by, sha256: by.get('sha256') ?? '', bytes };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
