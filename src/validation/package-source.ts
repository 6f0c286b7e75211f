import type { OperationOptions } from '../abort.js';
import type { Archive, ArchiveEntry } from '../package/archive-types.js';
import type { Wheel } from '../package/types.js';
import { readWheelMetadata, type LookOptions, type WheelMetadata } from '../package/wheel-metadata.js';

/** What a package is inspected from: a zip, or a folder that was unpacked. */
export interface PackageSource {
  path: string;
  entries: readonly ArchiveEntry[];
  get(name: string): ArchiveEntry | undefined;
  sizeBytes: number;
  unpackedBytes: number;
  read(entry: ArchiveEntry, o?: OperationOptions): Promise<Buffer>;
  wheelMetadata(entry: ArchiveEntry, wheel: Wheel, o?: LookOptions): Promise<WheelMetadata | undefined>;
}

/** Longest of the small text files that a package is told from. */
export const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** An open archive as a source. */
export function archiveSource(archive: Archive): PackageSource {
  return {
    path: archive.path,
    entries: archive.entries,
    get: (name) => archive.get(name),
    sizeBytes: archive.sizeBytes,
    unpackedBytes: archive.unpackedBytes,
    read: (entry, o) => archive.read(entry, { ...o, maxBytes: MAX_TEXT_BYTES }),
    wheelMetadata: (entry, wheel, o) => readWheelMetadata(archive, entry, wheel, o),
  };
}
