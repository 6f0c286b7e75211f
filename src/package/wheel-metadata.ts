import type { OperationOptions } from '../abort.js';
import type { RunnerError } from '../errors.js';
import type { Archive } from './archive-types.js';
import { BUILD_AGAIN, quote, zipFault } from './archive/fault.js';
import { ZSTANDARD } from './archive/format.js';
import { compareVersions, parseVersion } from './pep440.js';
import { startupFilesOf } from './startup-code.js';
import { decodeUtf8, pythonStrip, shown } from './text.js';
import type { Wheel } from './types.js';
import { normalizeProjectName } from './wheel-name.js';
import { checkPlaces } from './wheel-places.js';

/** What a wheel says of itself in METADATA (core metadata specification). */
export interface WheelMetadata {
  /** `Requires-Dist`, as written. */
  requires: string[];
  requiresPython?: string;
  /** `Provides-Extra`, normalised: an extra that is not among them is ignored, as pip does. */
  extras?: string[];
  /** `Import-Name` and `Import-Namespace`, those marked as private left out. */
  importNames?: string[];
  /** Files that run code at every start of an interpreter that has the wheel. */
  startup?: string[];
  /** Whether an entry is compressed by Zstandard, which only Python 3.14 and later can read (PEP 784). */
  needsZstandard?: true;
  /** METADATA, where it is not UTF-8: then nothing of it is known, and the wheel cannot be installed. */
  unreadable?: string;
}

const MAX_METADATA_BYTES = 1024 * 1024;

/**
 * METADATA of an open wheel, once it is one: a single `.dist-info` folder with METADATA and WHEEL, for the project and
 * version that the file is named after. pip asks for the same, but only in the middle of an installation.
 *
 * @throws RunnerError `invalid_zip` for what is no wheel
 */
export async function metadataOf(
  archive: Archive,
  wheel: Wheel,
  o: OperationOptions = {},
): Promise<WheelMetadata> {
  const folder = distInfoOf(archive, wheel);
  await checkPlaces(archive, wheel.name, o);
  const metadata = archive.get(`${folder}/METADATA`);
  if (!metadata || metadata.isDirectory) throw brokenWheel(archive, `has no ${folder}/METADATA`);
  if (archive.get(`${folder}/WHEEL`)?.isDirectory !== false)
    throw brokenWheel(archive, `has no ${folder}/WHEEL`);
  const bytes = await archive.read(metadata, { signal: o.signal, maxBytes: MAX_METADATA_BYTES });
  const text = decodeUtf8(bytes);
  if (text === undefined) return { requires: [], unreadable: metadata.name };
  const { name, version, ...known } = parseMetadata(text);
  if (name !== undefined && normalizeProjectName(name) !== wheel.name) {
    throw brokenWheel(
      archive,
      `says it is ${shown(name)}, its file name that it is ${wheel.name}`,
      metadata.name,
    );
  }
  if (version !== undefined && !isSameVersion(version, wheel.version)) {
    throw brokenWheel(
      archive,
      `says it is version ${shown(version)}, its file name that it is ${wheel.version}`,
      metadata.name,
    );
  }
  const startup = await startupFilesOf(archive, o.signal);
  return { ...known, ...needsOf(archive), ...(startup.length > 0 && { startup }) };
}

/** What an interpreter must be able to do to read a wheel's entries. */
export function needsOf({ entries }: Archive): Pick<WheelMetadata, 'needsZstandard'> {
  return entries.some(({ method }) => method === ZSTANDARD) ? { needsZstandard: true } : {};
}

export function brokenWheel({ path }: Archive, fault: string, entry?: string): RunnerError {
  return zipFault(path, fault, entry, { remedy: BUILD_AGAIN });
}

const DIST_INFO = /^[^/]+\.dist-info(?=\/|$)/;

/** The folders at the top that describe a wheel, each once; a wheel has one. */
export function distInfoFolders({ entries }: Archive): Set<string> {
  const folders = new Set<string>();
  entries.forEach(({ name }) => {
    const folder = DIST_INFO.exec(name)?.[0];
    if (folder !== undefined) folders.add(folder);
  });
  return folders;
}

/** The one folder at the top that describes the wheel. */
export function distInfoOf(archive: Archive, { name }: Wheel): string {
  const [folder, other] = distInfoFolders(archive);
  if (folder === undefined) throw brokenWheel(archive, 'is no wheel: it has no .dist-info folder');
  if (other !== undefined) {
    throw brokenWheel(
      archive,
      `is no wheel: it has two .dist-info folders, ${quote(folder)} and ${quote(other)}`,
    );
  }
  const [project = ''] = folder.slice(0, -'.dist-info'.length).split('-', 1);
  if (normalizeProjectName(project) !== name) {
    throw brokenWheel(archive, `has ${quote(folder)}, its file name says that it is ${name}`);
  }
  return folder;
}

function isSameVersion(a: string, b: string): boolean {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  return left && right ? compareVersions(left, right) === 0 : a.toLowerCase() === b.toLowerCase();
}

/** Reads the header fields that matter here, from those that Python's email parser finds, which pip reads METADATA with. */
export function parseMetadata(text: string): WheelMetadata & { name?: string; version?: string } {
  const fields = headersOf(text);
  const valueOf = (field: string) => fields.find(({ name }) => name === field)?.value;
  const [name, version, requiresPython] = ['name', 'version', 'requires-python'].map(valueOf);
  const extras = fields
    .filter(({ name }) => name === 'provides-extra')
    .map(({ value }) => normalizeProjectName(value));
  const importNames = fields
    .filter(({ name, value }) => /^import-name(space)?$/.test(name) && value !== '')
    .flatMap(({ value }) => (/;\s*private$/.test(value) ? [] : [value]));
  return {
    requires: fields.filter(({ name }) => name === 'requires-dist').map(({ value }) => value),
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(requiresPython !== undefined && { requiresPython }),
    ...(extras.length > 0 && { extras }),
    ...(importNames.length > 0 && { importNames }),
  };
}

/** A header, a line that goes on, or the envelope of a mail: the first other line ends the headers. */
const HEADER_LINE = /^(?:From |[!-9;-~]*:|[\t ])/;

/** The headers of a mail as `email.feedparser` finds them; a value of several lines keeps their ends. */
function headersOf(text: string): { name: string; value: string }[] {
  const found: { name: string; lines: string[] }[] = [];
  let last: { name: string; lines: string[] } | undefined;
  for (const [line] of text.matchAll(/[^\r\n]*(?:\r\n|\r|\n|$)/g)) {
    if (!HEADER_LINE.test(line)) break;
    if (/^[\t ]/.test(line)) {
      last?.lines.push(line);
      continue;
    }
    const colon = line.indexOf(':');
    last = undefined;
    if (line.startsWith('From ') || colon === 0) continue;
    last = { name: line.slice(0, colon).toLowerCase(), lines: [line.slice(colon + 1)] };
    found.push(last);
  }
  return found.map(({ name, lines }) => ({ name, value: pythonStrip(lines.join('')) }));
}
