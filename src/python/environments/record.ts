import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { parseMetadata } from '../../package/wheel-metadata.js';

/** A row of a RECORD file (PEP 376): path relative to site-packages, hash and size, empty where not given. */
export interface RecordRow {
  path: string;
  /** `sha256=<urlsafe base64 without padding>`. */
  hash: string;
  size: string;
}

/** Rows of a RECORD, which is CSV with `"` as its quote. */
export function parseRecord(text: string): RecordRow[] {
  return [...recordRows(text)];
}

/** Its rows, one after the other: an environment has hundreds of thousands, which are not kept at once. */
export function* recordRows(text: string): Generator<RecordRow, void, undefined> {
  let fields: string[] = [];
  const field = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r\n|\r|\n|$)/gy;
  while (field.lastIndex < text.length) {
    const match = field.exec(text);
    if (!match) break;
    const [, raw = '', end] = match;
    fields.push(raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
    if (end === ',') continue;
    const [file = '', hash = '', size = ''] = fields;
    if (file !== '') yield { path: file, hash, size };
    fields = [];
  }
}

/** The path that a row means: some builders write `./a`, `/a` or `a\b`. */
export function plainPath(path: string): string {
  return path.replaceAll('\\', '/').replace(/^(?:\.?\/)+/, '');
}

/** A RECORD as Python's csv module writes it, rows in the order in which pip sorts them. */
export function formatRecord(rows: readonly RecordRow[]): string {
  const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [...rows]
    .sort((a, b) => byCodePoint(a.path, b.path) || byCodePoint(a.hash, b.hash) || byCodePoint(a.size, b.size))
    .map((row) => `${quote(row.path)},${row.hash},${row.size}\r\n`)
    .join('');
}

/** Python sorts text by code point, JavaScript by UTF-16 unit. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Hash of some bytes as RECORD writes it. */
export function recordHash(content: string | Uint8Array): string {
  return `sha256=${createHash('sha256').update(content).digest('base64url')}`;
}

/** The `.dist-info` folders in a site-packages folder. */
export async function distInfos(sitePackages: string): Promise<string[]> {
  const names = await readdir(sitePackages).catch(() => []);
  return names.filter((name) => name.endsWith('.dist-info')).sort();
}

/** Name and version of an installed project, from its METADATA. */
export async function readIdentity(distInfo: string): Promise<{ name: string; version: string } | undefined> {
  const text = await readFile(path.join(distInfo, 'METADATA'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : identityIn(text, path.basename(distInfo));
}

/** Name and version that a METADATA gives, or else, as for pip, the folder that it lies in. */
export function identityIn(
  metadata: string,
  distInfo: string,
): { name: string; version: string } | undefined {
  const [, named, numbered] = /^([^-]+)-(.+)\.dist-info$/.exec(distInfo) ?? [];
  const { name = named, version = numbered } = parseMetadata(metadata);
  return name !== undefined && version !== undefined ? { name, version } : undefined;
}

/** A file that is not as its RECORD says. */
export interface RecordFault {
  path: string;
  message: string;
}

/** Compares files with rows; `resolve` gives a row's file, or undefined for a row that points out of bounds. */
export async function checkRows(
  rows: readonly RecordRow[],
  resolve: (row: RecordRow) => string | undefined,
  options: OperationOptions & { onBytes?: (bytes: number) => void } = {},
): Promise<RecordFault[]> {
  const faults: RecordFault[] = [];
  const next = rows[Symbol.iterator]();
  const lane = async () => {
    for (const row of next) {
      throwIfAborted(options.signal, 'check of installed files');
      const file = resolve(row);
      if (file === undefined) faults.push({ path: row.path, message: 'lies outside the environment' });
      else if (row.hash !== '') {
        const fault = await checkFile(file, row, options.onBytes);
        if (fault !== undefined) faults.push({ path: row.path, message: fault });
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return faults;
}

async function checkFile(
  file: string,
  row: RecordRow,
  onBytes: ((bytes: number) => void) | undefined,
): Promise<string | undefined> {
  const [algorithm = '', digest] = row.hash.split(/=(.*)/s);
  let bytes = 0;
  try {
    const hash = createHash(algorithm);
    for await (const chunk of createReadStream(file, {
      highWaterMark: 256 * 1024,
    }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      onBytes?.(chunk.length);
    }
    if (row.size !== '' && Number(row.size) !== bytes) return `has ${bytes} bytes, not ${row.size}`;
    return hash.digest('base64url') === digest?.replace(/=+$/, '')
      ? undefined
      : `does not have the ${algorithm} hash of its RECORD`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'is missing' : `cannot be read: ${(error as Error).message}`;
  }
}
