import type { OperationOptions } from '../abort.js';
import type { Archive, ArchiveEntry } from './archive-types.js';
import { decodeText } from './text.js';
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

/**
 * METADATA of a wheel inside a package. A stored wheel is read in place, a small compressed one in memory; undefined
 * for one that is too large to be unpacked for this, or that is no wheel inside.
 */
export async function readWheelMetadata(
  archive: Archive,
  entry: ArchiveEntry,
  o: OperationOptions = {},
): Promise<WheelMetadata | undefined> {
  if (entry.method !== 0 && entry.sizeBytes > MAX_COMPRESSED_BYTES) return undefined;
  await using wheel = await archive.openInner(entry, { ...o, maxBytes: MAX_COMPRESSED_BYTES });
  return await metadataOf(wheel, o);
}

/** METADATA of an open wheel; undefined where it has none. */
export async function metadataOf(
  wheel: Archive,
  o: OperationOptions = {},
): Promise<WheelMetadata | undefined> {
  const metadata = wheel.entries.find(
    ({ name }) => name.endsWith('.dist-info/METADATA') && name.indexOf('/') === name.lastIndexOf('/'),
  );
  if (!metadata) return undefined;
  const text = decodeText(await wheel.read(metadata, { ...o, maxBytes: MAX_METADATA_BYTES }));
  return text === undefined ? undefined : parseMetadata(text);
}

/** Reads the header fields that matter here. */
export function parseMetadata(text: string): WheelMetadata {
  const [head = ''] = text.split(/\r?\n\r?\n/, 1);
  const fields = head
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)
    .map((line) => /^([A-Za-z-]+):\s*(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name = '', value = '']) => ({ name: name.toLowerCase(), value: value.trim() }));
  const requiresPython = fields.find(({ name }) => name === 'requires-python')?.value;
  const extras = fields
    .filter(({ name }) => name === 'provides-extra')
    .map(({ value }) => normalizeProjectName(value));
  return {
    requires: fields.filter(({ name }) => name === 'requires-dist').map(({ value }) => value),
    ...(requiresPython !== undefined && { requiresPython }),
    ...(extras.length > 0 && { extras }),
  };
}
