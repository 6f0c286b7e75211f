import { createHash } from 'node:crypto';
import type { OperationOptions } from '../../abort.js';
import type { Archive, ArchiveEntry } from '../archive-types.js';
import { SIGNATURE_ENTRY } from '../project-layout.js';

/** See `packageDigest` of the package's face. */
export async function packageDigest(archive: Archive, o: OperationOptions = {}): Promise<string> {
  const lines: { key: Buffer; line: string }[] = [];
  for (const entry of archive.entries) {
    if (entry.name === SIGNATURE_ENTRY) continue;
    const name = entry.isDirectory ? `${entry.name}/` : entry.name;
    const line = `${await entryDigest(archive, entry, o)} ${entry.sizeBytes} ${name}\n`;
    lines.push({ key: Buffer.from(name), line });
  }
  lines.sort((a, b) => a.key.compare(b.key));
  const hash = createHash('sha256');
  for (const { line } of lines) hash.update(line);
  return hash.digest('hex');
}

/** SHA-256 (hex) of one entry's content. */
export async function entryDigest(
  archive: Archive,
  entry: ArchiveEntry,
  o: OperationOptions = {},
): Promise<string> {
  const hash = createHash('sha256');
  if (entry.sizeBytes <= READ_WHOLE_BYTES) {
    // A stream costs more than the content of a small file.
    hash.update(await archive.read(entry, { ...o, maxBytes: READ_WHOLE_BYTES }));
  } else {
    for await (const chunk of await archive.stream(entry, o)) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

const READ_WHOLE_BYTES = 1024 * 1024;
