import { STORED } from '../../package/archive/format.js';
import {
  centralHeader,
  endRecords,
  FOLDER,
  localHeader,
  REGULAR_FILE,
  type Described,
} from '../../package/archive/write-headers.js';
import { SIGNATURE_ENTRY } from '../../package/project-layout.js';
import { createHash } from 'node:crypto';
import type { ContentEntry, ContentManifest } from './content-manifest.js';

/** An entry, and where it lies in the zip. */
export interface PlannedEntry {
  entry: ContentEntry;
  /** Of its header. */
  offset: number;
  /** Of its content, which is stored as it is. */
  contentOffset: number;
}

/**
 * Where everything lies in the zip of a package. All is stored, in the order of the manifest, with `SIGNATURE` at the end: the
 * places are known before a byte is there, so that each byte is written once, at its place, in whatever order it comes.
 */
export interface ZipPlan {
  entries: readonly PlannedEntry[];
  /** Where the directory begins: behind all content. */
  directoryOffset: number;
}

/** Plans the zip of a package. */
export function planZip({ entries, signature }: ContentManifest): ZipPlan {
  const planned: PlannedEntry[] = [];
  let offset = 0;
  for (const entry of signature ? [...entries, signatureEntry(signature)] : entries) {
    const contentOffset = offset + headerOf(entry, 0).length;
    planned.push({ entry, offset, contentOffset });
    offset = contentOffset + entry.sizeBytes;
  }
  return { entries: planned, directoryOffset: offset };
}

/** What stands before the content of an entry. */
export function headerOf(entry: ContentEntry, crc: number): Buffer {
  return localHeader(described(entry, crc));
}

/** What stands behind all content. */
export function directoryOf({ entries, directoryOffset }: ZipPlan, crcOf: (index: number) => number): Buffer {
  const records = entries.map(({ entry, offset }, index) => {
    const mode = entry.isDirectory ? FOLDER | 0o755 : REGULAR_FILE | (entry.isExecutable ? 0o755 : 0o644);
    return centralHeader(described(entry, crcOf(index)), mode, offset);
  });
  const directory = Buffer.concat(records);
  const end = endRecords({ entries: entries.length, bytes: directory.length, offset: directoryOffset });
  return Buffer.concat([directory, end]);
}

function described({ name, isDirectory, sizeBytes }: ContentEntry, crc: number): Described {
  const written = Buffer.from(isDirectory ? `${name}/` : name);
  return { name: written, method: STORED, crc, packedBytes: sizeBytes, sizeBytes };
}

function signatureEntry(signature: Buffer): ContentEntry {
  const sha256 = createHash('sha256').update(signature).digest('hex');
  return {
    name: SIGNATURE_ENTRY,
    isDirectory: false,
    sizeBytes: signature.length,
    sha256,
    isExecutable: false,
  };
}
