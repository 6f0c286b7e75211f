import type { OperationOptions } from '../abort.js';
import type { Archive, ArchiveEntry } from '../package/archive-types.js';
import type { ArchiveLimits, Wheel } from '../package/types.js';
import { lookIntoWheel } from './wheel-look.js';
import type { WheelFacts } from './wheel-memory.js';

/** What a package is inspected from: a zip, or a folder that was unpacked. */
export interface PackageSource {
  path: string;
  entries: readonly ArchiveEntry[];
  get(name: string): ArchiveEntry | undefined;
  /** What the package and its wheels are held to. */
  limits: Readonly<ArchiveLimits>;
  /** See {@link Archive.nameDoubt}. */
  nameDoubt?: string;
  sizeBytes: number;
  unpackedBytes: number;
  read(entry: ArchiveEntry, o?: OperationOptions): Promise<Buffer>;
  /** What a wheel says of itself; undefined where it could not be looked into. */
  wheelFacts(entry: ArchiveEntry, wheel: Wheel, o?: OperationOptions): Promise<WheelFacts | undefined>;
}

/** Longest small text file of a package that is read. */
export const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** An open archive as a source. */
export function archiveSource(archive: Archive): PackageSource {
  return {
    path: archive.path,
    entries: archive.entries,
    get: (name) => archive.get(name),
    limits: archive.limits,
    nameDoubt: archive.nameDoubt,
    sizeBytes: archive.sizeBytes,
    unpackedBytes: archive.unpackedBytes,
    read: (entry, o) => archive.read(entry, { ...o, maxBytes: MAX_TEXT_BYTES }),
    wheelFacts: (entry, wheel, o) => lookIntoWheel(archive, entry, wheel, o),
  };
}
