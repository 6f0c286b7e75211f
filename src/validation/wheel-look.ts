import type { OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import type { Archive, ArchiveEntry } from '../package/archive-types.js';
import { wheelFault } from '../package/archive/fault.js';
import { openArchive } from '../package/archive/open-archive.js';
import { entryPointsFault, parseEntryPoints } from '../package/entry-points.js';
import { decodeUtf8, shown } from '../package/text.js';
import type { ArchiveLimits, Wheel } from '../package/types.js';
import { sourcelessIn } from './sourceless.js';
import { brokenWheel, distInfoOf, metadataOf, type WheelMetadata } from '../package/wheel-metadata.js';
import { isByteCode } from '../package/wheel-places.js';
import { parseRecord, plainPath } from '../python/environments/record.js';

/** What was found in a wheel. */
export interface WheelFacts {
  metadata: WheelMetadata;
  /** Sum of the unpacked sizes of its entries. */
  unpackedBytes: number;
  entries: number;
  /** Files and folders that it unpacks to. */
  files: number;
  /** Paths of its bills of materials. */
  sboms: string[];
  /** Paths of byte code that has no source beside it. */
  sourceless: string[];
  /** Rows of its RECORD that are wrong and keep it from nothing, a few, in words that follow the wheel's name. */
  oddities: string[];
  /** Why it could not be installed. */
  fault?: RunnerError;
  /** CRC-32 of its files by where they go, but for those that describe it. */
  owned: ReadonlyMap<string, number>;
}

/** Of so many wheels it is remembered what was found in them, the latest. */
const MOST_WHEELS = 2_000;
/** And of so much text: METADATA may have a megabyte of requirements, and names of files another. */
const MOST_CHARACTERS = 8 * 1024 * 1024;

const remembered = new Map<string, { facts: WheelFacts; characters: number }>();
let characters = 0;

/** What was found in a wheel before; `key` says in which content of which file, and is undefined where that is unknown. */
function recallWheel(key: string | undefined): WheelFacts | undefined {
  const found = key === undefined ? undefined : remembered.get(key);
  if (!found || key === undefined) return undefined;
  // Moved to the end: those are kept longest.
  remembered.delete(key);
  remembered.set(key, found);
  return found.facts;
}

function stringsOf({ metadata, oddities, owned, sboms, sourceless }: WheelFacts): string[] {
  const named = [...oddities, ...owned.keys(), ...sboms, ...sourceless];
  return [...metadata.requires, ...(metadata.importNames ?? []), ...named];
}

/** Remembers it, in place of what was not asked for the longest. */
function rememberWheel(key: string | undefined, facts: WheelFacts): void {
  if (key === undefined || remembered.has(key)) return;
  const entry = {
    facts,
    characters: stringsOf(facts).reduce((sum, { length }) => sum + length, key.length),
  };
  remembered.set(key, entry);
  characters += entry.characters;
  for (const [oldest, { characters: freed }] of remembered) {
    if (remembered.size <= MOST_WHEELS && characters <= MOST_CHARACTERS) break;
    remembered.delete(oldest);
    characters -= freed;
  }
}

/** Longest text file of a wheel that is read: RECORD of 200,000 files. */
const MAX_TEXT_BYTES = 32 * 1024 * 1024;

/** Rows of one RECORD that are named in a report. */
const MOST_ODDITIES = 5;

/** First bytes that tell what came in place of a wheel. */
const START_BYTES = 256;

/** The entries that {@link factsOf} reads. */
const isRead = (name: string): boolean =>
  /^[^/]+\.dist-info\/(?:METADATA|WHEEL|RECORD|entry_points\.txt)$/.test(name);

/**
 * Looks into a wheel of a package, whatever the package's compression. What was found is remembered, within this process,
 * by the identity of the package's file: a package that was inspected is inspected again before it is installed.
 *
 * @returns undefined where it could not be looked into: its directory is too long to be kept
 * @throws RunnerError `invalid_zip` that names the wheel, or the package where that is damaged
 */
export async function lookIntoWheel(
  archive: Archive,
  entry: ArchiveEntry,
  wheel: Wheel,
  o: OperationOptions = {},
): Promise<WheelFacts | undefined> {
  const key = archive.identity && keyOf(archive, [entry.name, entry.crc32, entry.sizeBytes]);
  const known = recallWheel(key);
  if (known) return known;
  try {
    await using inner = await archive.openInner(entry, { ...o, keep: isRead });
    const facts = inner && (await factsOf(inner, wheel, o));
    if (facts?.fault) facts.fault = wheelFault(archive.path, entry.name, facts.fault);
    if (facts) rememberWheel(key, facts);
    return facts;
  } catch (error) {
    if (!RunnerError.is(error, 'invalid_zip') || error.details.path === archive.path) throw error;
    throw wheelFault(archive.path, entry.name, error, await startOf(archive, entry, o));
  }
}

/** The same for a wheel that lies in a folder. */
export async function lookIntoWheelFile(
  file: string,
  wheel: Wheel,
  o: { limits?: Partial<ArchiveLimits> } & OperationOptions,
): Promise<WheelFacts> {
  await using archive = await openArchive(file, o);
  const key = archive.identity && keyOf(archive, [wheel.file]);
  const known = recallWheel(key) ?? (await factsOf(archive, wheel, o));
  rememberWheel(key, known);
  return known;
}

/** Whether a wheel passes depends on the limits too. */
function keyOf({ identity, limits }: Archive, more: readonly unknown[]): string {
  return JSON.stringify([identity, limits, ...more]);
}

/**
 * The first bytes of a wheel, its content read whole: a package that was damaged on its way says so first, as then its
 * wheel may be sound.
 */
async function startOf(archive: Archive, entry: ArchiveEntry, o: OperationOptions): Promise<Buffer> {
  let start = Buffer.alloc(0);
  for await (const chunk of (await archive.stream(entry, o)) as AsyncIterable<Buffer>) {
    if (start.length < START_BYTES) start = Buffer.concat([start, chunk.subarray(0, START_BYTES)]);
  }
  return start;
}

/** What an open wheel says of itself, once it can be installed. */
async function factsOf(archive: Archive, wheel: Wheel, o: OperationOptions): Promise<WheelFacts> {
  const metadata = await metadataOf(archive, wheel, o);
  const folder = distInfoOf(archive, wheel);
  const notUtf8 = (name: string) => brokenWheel(archive, 'is not UTF-8', name);
  let fault = metadata.unreadable === undefined ? undefined : notUtf8(metadata.unreadable);
  const text = async (name: string): Promise<string | undefined> => {
    const entry = archive.get(`${folder}/${name}`);
    if (!entry || entry.isDirectory) return undefined;
    const decoded = decodeUtf8(await archive.read(entry, { ...o, maxBytes: MAX_TEXT_BYTES }));
    if (decoded === undefined) fault ??= notUtf8(entry.name);
    return decoded ?? '';
  };
  const record = await text('RECORD');
  if (record === undefined) fault ??= brokenWheel(archive, `has no ${folder}/RECORD`);
  const asked = entryPointsFault(parseEntryPoints((await text('entry_points.txt')) ?? ''));
  if (asked !== undefined) fault ??= brokenWheel(archive, asked);
  const oddities = recordOddities(archive, folder, record ?? '');
  const { unpackedBytes, entries, folders } = archive;
  const files = entries.filter(({ isDirectory }) => !isDirectory).length + folders;
  const owned = ownedBy(entries, folder);
  return {
    metadata,
    unpackedBytes,
    entries: entries.length,
    files,
    oddities,
    owned,
    sboms: sbomsIn(entries, folder),
    sourceless: sourcelessIn(entries),
    ...(fault && { fault }),
  };
}

/** Bills of materials (PEP 770). */
function sbomsIn(entries: Archive['entries'], folder: string): string[] {
  return entries.flatMap(({ name, isDirectory }) =>
    !isDirectory && name.startsWith(`${folder}/sboms/`) ? [name] : [],
  );
}

/** Where the files of a wheel go, and what is in them. */
function ownedBy(entries: Archive['entries'], folder: string): Map<string, number> {
  const data = `${folder.slice(0, -'.dist-info'.length)}.data/`;
  const owned = new Map<string, number>();
  for (const { name, isDirectory, crc32 } of entries) {
    if (isDirectory || name.startsWith(`${folder}/`) || isByteCode(name)) continue;
    const [scheme = '', ...rest] = name.startsWith(data) ? name.slice(data.length).split('/') : [];
    const place = { purelib: '', platlib: '', scripts: 'bin/', data: '../../../' }[scheme];
    owned.set(place === undefined ? name : place + rest.join('/'), crc32);
  }
  return owned;
}

/** Rows of RECORD that are wrong in what pip does not look at; hashes are compared when the wheel is unpacked. */
function recordOddities(archive: Archive, folder: string, text: string): string[] {
  const oddities: string[] = [];
  let more = 0;
  const tell = (oddity: string) => (oddities.length < MOST_ODDITIES ? oddities.push(oddity) : (more += 1));
  for (const row of parseRecord(text)) {
    const name = plainPath(row.path);
    if (name === `${folder}/RECORD` || isByteCode(name)) continue;
    const entry = archive.get(name);
    const size = row.size.trim();
    if (!entry) tell(`its RECORD lists ${shown(row.path)}, which is not there`);
    else if (size !== '' && size !== String(entry.sizeBytes))
      tell(`${shown(name)} has ${entry.sizeBytes} bytes, its RECORD says ${shown(size)}`);
  }
  return more === 0 ? oddities : [...oddities, `${more} more rows of its RECORD are wrong in the same way`];
}
