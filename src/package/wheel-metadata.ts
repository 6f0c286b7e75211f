import type { OperationOptions } from '../abort.js';
import type { Archive, ArchiveEntry } from './archive-types.js';
import { BUILD_AGAIN, quote, zipFault } from './archive/fault.js';
import { compareVersions, parseVersion } from './pep440.js';
import { decodeText, shown } from './text.js';
import type { Wheel } from './types.js';
import { normalizeProjectName } from './wheel-name.js';

/** What a wheel says of itself in METADATA (core metadata specification). */
export interface WheelMetadata {
  /** `Requires-Dist`, as written. */
  requires: string[];
  requiresPython?: string;
  /** `Provides-Extra`, normalised: an extra that is not among them is ignored, as pip does. */
  extras?: string[];
}

/** A compressed wheel has to be unpacked to look into it; larger ones are left to pip. */
const MAX_COMPRESSED_BYTES = 4 * 1024 * 1024;
const MAX_METADATA_BYTES = 1024 * 1024;

/** What may still be unpacked to look into the wheels of one package; what remains after that is left to pip. */
export interface LookBudget {
  bytes: number;
}

/** How to look into a wheel. */
export interface LookOptions extends OperationOptions {
  budget?: LookBudget;
}

/**
 * METADATA of a wheel inside a package. A stored wheel is read in place, a small compressed one in memory; undefined
 * for one that is too large to be unpacked for this.
 *
 * @throws RunnerError `invalid_zip` for what is no wheel inside, see {@link metadataOf}
 */
export async function readWheelMetadata(
  archive: Archive,
  entry: ArchiveEntry,
  wheel: Wheel,
  o: LookOptions = {},
): Promise<WheelMetadata | undefined> {
  if (entry.method !== 0) {
    if (entry.sizeBytes > MAX_COMPRESSED_BYTES || !spend(o.budget, entry.sizeBytes)) return undefined;
  }
  await using inner = await archive.openInner(entry, { signal: o.signal, maxBytes: MAX_COMPRESSED_BYTES });
  return await metadataOf(inner, wheel, o);
}

/**
 * METADATA of an open wheel, once it is one: a single `.dist-info` folder with METADATA and WHEEL, for the project and
 * version that the file is named after. pip asks for the same, but only in the middle of an installation.
 *
 * @throws RunnerError `invalid_zip` for what is no wheel
 */
export async function metadataOf(
  archive: Archive,
  wheel: Wheel,
  o: LookOptions = {},
): Promise<WheelMetadata | undefined> {
  const folder = distInfoOf(archive, wheel);
  const metadata = archive.get(`${folder}/METADATA`);
  if (!metadata || metadata.isDirectory) throw wheelFault(archive, `has no ${folder}/METADATA`);
  if (archive.get(`${folder}/WHEEL`)?.isDirectory !== false)
    throw wheelFault(archive, `has no ${folder}/WHEEL`);
  if (!spend(o.budget, metadata.sizeBytes)) return undefined;
  const bytes = await archive.read(metadata, { signal: o.signal, maxBytes: MAX_METADATA_BYTES });
  const text = decodeText(bytes);
  if (text === undefined) throw wheelFault(archive, 'is not text', metadata.name);
  const { name, version, ...known } = parseMetadata(text);
  if (name !== undefined && normalizeProjectName(name) !== wheel.name) {
    throw wheelFault(
      archive,
      `says it is ${shown(name)}, its file name that it is ${wheel.name}`,
      metadata.name,
    );
  }
  if (version !== undefined && !isSameVersion(version, wheel.version)) {
    throw wheelFault(
      archive,
      `says it is version ${shown(version)}, its file name that it is ${wheel.version}`,
      metadata.name,
    );
  }
  return known;
}

function wheelFault({ path }: Archive, fault: string, entry?: string): Error {
  return zipFault(path, fault, entry, { remedy: BUILD_AGAIN });
}

function spend(budget: LookBudget | undefined, bytes: number): boolean {
  if (!budget) return true;
  if (budget.bytes < bytes) return false;
  budget.bytes -= bytes;
  return true;
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
function distInfoOf(archive: Archive, { name }: Wheel): string {
  const [folder, other] = distInfoFolders(archive);
  if (folder === undefined) throw wheelFault(archive, 'is no wheel: it has no .dist-info folder');
  if (other !== undefined) {
    throw wheelFault(
      archive,
      `is no wheel: it has two .dist-info folders, ${quote(folder)} and ${quote(other)}`,
    );
  }
  const [project = ''] = folder.slice(0, -'.dist-info'.length).split('-', 1);
  if (normalizeProjectName(project) !== name) {
    throw wheelFault(archive, `has ${quote(folder)}, its file name says that it is ${name}`);
  }
  return folder;
}

function isSameVersion(a: string, b: string): boolean {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  return left && right ? compareVersions(left, right) === 0 : a.toLowerCase() === b.toLowerCase();
}

/** Reads the header fields that matter here. */
export function parseMetadata(text: string): WheelMetadata & { name?: string; version?: string } {
  const [head = ''] = text.split(/\r?\n\r?\n/, 1);
  const fields = head
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)
    .map((line) => /^([A-Za-z-]+):\s*(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name = '', value = '']) => ({ name: name.toLowerCase(), value: value.trim() }));
  const valueOf = (field: string) => fields.find(({ name }) => name === field)?.value;
  const [name, version, requiresPython] = ['name', 'version', 'requires-python'].map(valueOf);
  const extras = fields
    .filter(({ name }) => name === 'provides-extra')
    .map(({ value }) => normalizeProjectName(value));
  return {
    requires: fields.filter(({ name }) => name === 'requires-dist').map(({ value }) => value),
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(requiresPython !== undefined && { requiresPython }),
    ...(extras.length > 0 && { extras }),
  };
}
