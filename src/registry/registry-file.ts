import { statSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { RunnerError } from '../errors.js';
import { writeJsonAtomic, type Durability } from '../store/atomic-file.js';
import { errnoCode } from '../store/errno.js';
import type { StoreLayout } from '../store/layout.js';
import { isEntry, isMapping } from './records.js';
import { isRecord } from '../arguments.js';
import type { ActiveMapping, RegistryEntry } from './types.js';

/** Name of the file that is written last into a deployed version: its registry entry, so that it speaks for itself. */
export const VERSION_MARKER = '.procvision-version.json';

/** Newest schema this library writes and knows all of. */
export const SCHEMA_VERSION = 1;

/** Which file something was read from; `none` when there is none. Each write is a new file with a later time. */
export type FileMark = string;

/** What `registry.json` holds: the truth about versions and mappings. Unknown fields are kept. */
export interface RegistryContent {
  schema_version: number;
  packages: RegistryEntry[];
  /** Mappings by product id, without prototype. `active/<pid>.json` are copies for other readers. */
  active: Record<string, ActiveMapping>;
  [key: string]: unknown;
}

/** Records of a newer schema that cannot be read here: not shown, and written back as they came. */
export interface UnknownRecords {
  packages: unknown[];
  active: Record<string, unknown>;
}

/** The file as it was read. */
export interface RegistryReading {
  mark: FileMark;
  /** Modification time, ns since 1970. */
  modifiedNs: bigint;
  content: RegistryContent;
  unknown: UnknownRecords;
  /** What is wrong with it; empty when nothing is. */
  problems: string[];
  /** `missing`: there is no file; `unusable`: nothing could be taken from it. */
  state: 'read' | 'missing' | 'unusable';
}

/**
 * Reads `registry.json`, record by record, so that a bad one does not cost the others.
 *
 * @throws RunnerError `store_damaged` for a newer schema whose shape is another
 */
export async function readRegistryFile(layout: StoreLayout): Promise<RegistryReading> {
  const reading: RegistryReading = {
    ...{ mark: 'none', modifiedNs: 0n, problems: [], state: 'missing' },
    content: emptyContent(),
    unknown: { packages: [], active: withoutPrototype() },
  };
  let text: string | undefined;
  try {
    text = await readMarked(layout.registry, reading);
  } catch (error) {
    if (errnoCode(error) !== 'EISDIR') throw error;
    return { ...reading, state: 'unusable', problems: ['it is a folder'] };
  }
  if (text === undefined) return reading;
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    return { ...reading, state: 'unusable', problems: [`it is not JSON: ${(error as Error).message}`] };
  }
  if (!isRecord(raw) || !Array.isArray(raw.packages)) {
    const schema = isRecord(raw) ? raw.schema_version : undefined;
    if (typeof schema === 'number' && schema > SCHEMA_VERSION) throw tooNew(layout, schema);
    return { ...reading, state: 'unusable', problems: ['it has no list of packages'] };
  }
  takeRecords(reading, raw as Record<string, unknown> & { packages: unknown[] });
  return reading;
}

/**
 * Writes `registry.json`: the commit point of every change. Its time is set past that of the file before it, because
 * the clock of a file system is coarse and inode numbers come again: readers tell two writes apart by it.
 */
export async function writeRegistryFile(
  layout: StoreLayout,
  { content, unknown, modifiedNs }: RegistryReading,
  durability: Durability,
): Promise<void> {
  const packages = [...content.packages, ...unknown.packages];
  const active = Object.assign(withoutPrototype(), unknown.active, content.active);
  const after = Number(modifiedNs / 1_000_000n) + 2; // + 1 for the part of a millisecond, + 1 to be past it
  const modifiedAt = new Date(Math.max(Date.now(), after));
  await writeJsonAtomic(layout.registry, { ...content, packages, active }, durability, { modifiedAt });
}

/**
 * Identifies the file that exists now, without reading it. Synchronous, since each inspection asks: the system
 * answers from memory in microseconds. The thread pool takes ten times as long, and much longer behind large files.
 */
export function markOf(file: string): FileMark {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats ? markFrom(stats) : 'none';
}

/**
 * The mark of a file that is asked for again and again: a look that makes no big integers and no text while the numbers of
 * `stat` are those of the look before. A double holds the time to a quarter of a microsecond, and no two writes are so close.
 */
export class FileLook {
  readonly #file: string;
  #last: { ino: number; mtimeMs: number; size: number } | undefined;
  #mark: FileMark = 'none';

  constructor(file: string) {
    this.#file = file;
  }

  /** As {@link markOf}. */
  mark(): FileMark {
    const now = statSync(this.#file, { throwIfNoEntry: false });
    const last = this.#last;
    const isSame = last && now?.ino === last.ino && now.mtimeMs === last.mtimeMs && now.size === last.size;
    if (isSame) return this.#mark;
    const stats = statSync(this.#file, { bigint: true, throwIfNoEntry: false });
    this.#mark = stats ? markFrom(stats) : 'none';
    // The file may have been replaced between the two looks.
    const isOne =
      now &&
      stats &&
      Number(stats.ino) === now.ino &&
      Number(stats.size) === now.size &&
      Math.abs(Number(stats.mtimeNs) / 1e6 - now.mtimeMs) < 0.001;
    this.#last = isOne ? { ino: now.ino, mtimeMs: now.mtimeMs, size: now.size } : undefined;
    return this.#mark;
  }
}

/** A record by names from outside, `__proto__` among them. */
export function withoutPrototype<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

function emptyContent(): RegistryContent {
  return { schema_version: SCHEMA_VERSION, packages: [], active: withoutPrototype() };
}

function markFrom({ ino, mtimeNs, size }: { ino: bigint; mtimeNs: bigint; size: bigint }): FileMark {
  return `${ino}-${mtimeNs}-${size}`;
}

/** The text and the mark of one and the same file, although it may be replaced during the read. */
async function readMarked(file: string, reading: RegistryReading): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const stats = await handle.stat({ bigint: true });
    reading.mark = markFrom(stats);
    reading.modifiedNs = stats.mtimeNs;
    return await readToEnd(handle, Number(stats.size));
  } finally {
    await handle.close();
  }
}

/** In one step, where `readFile` takes three: each order of an operator waits for it. */
async function readToEnd(handle: FileHandle, size: number): Promise<string> {
  const bytes = Buffer.allocUnsafe(size + 1); // one more: a file that somebody writes in place may have grown
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
  return bytesRead === size ? bytes.toString('utf8', 0, size) : handle.readFile('utf8');
}

function takeRecords(reading: RegistryReading, raw: Record<string, unknown> & { packages: unknown[] }): void {
  const schema = typeof raw.schema_version === 'number' ? raw.schema_version : SCHEMA_VERSION;
  const isNewer = schema > SCHEMA_VERSION;
  const { unknown, problems } = reading;
  const content: RegistryContent = {
    ...raw,
    schema_version: schema,
    packages: [],
    active: withoutPrototype(),
  };
  for (const [index, entry] of raw.packages.entries()) {
    if (isEntry(entry)) content.packages.push(entry);
    else if (isNewer) unknown.packages.push(entry);
    else problems.push(`packages.${index} is no registry entry`);
  }
  const active = raw.active ?? {};
  if (!isRecord(active)) problems.push('active is no object');
  for (const [pid, mapping] of Object.entries(isRecord(active) ? active : {})) {
    if (isMapping(mapping) && mapping.pid === pid) content.active[pid] = mapping;
    else if (isNewer) unknown.active[pid] = mapping;
    else problems.push(`active.${pid} is no mapping`);
  }
  reading.content = content;
  reading.state = 'read';
}

function tooNew(layout: StoreLayout, schema: number): RunnerError {
  return new RunnerError(
    'store_damaged',
    `${layout.registry} has schema version ${schema}, which this version of the library cannot read (it reads up to ` +
      `${SCHEMA_VERSION}): use the version that wrote it, or a later one`,
    { details: { path: layout.registry } },
  );
}
