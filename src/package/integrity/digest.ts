import { createHash } from 'node:crypto';
import type { OperationOptions } from '../../abort.js';
import type { Archive } from '../archive-types.js';
import { SIGNATURE_ENTRY } from '../project-layout.js';

/** SHA-256 of a folder's content, of which there is none. */
export const OF_NOTHING = createHash('sha256').digest('hex');

/** See `packageDigest` of the package's face. */
export async function packageDigest(archive: Archive, o: OperationOptions = {}): Promise<string> {
  const hash = createHash('sha256');
  for (const line of await digestLines(archive, o)) hash.update(line);
  return hash.digest('hex');
}

/** The lines that the digest is over, in order, each with its line break. The whole content is read once. */
export async function digestLines(archive: Archive, o: OperationOptions = {}): Promise<string[]> {
  const { entries } = await archive.digests({ contents: 'all', signal: o.signal });
  const lines: { key: Buffer; line: string }[] = [];
  for (const entry of archive.entries) {
    if (entry.name === SIGNATURE_ENTRY) continue;
    const name = entry.isDirectory ? `${entry.name}/` : entry.name;
    const sha256 = entry.isDirectory ? OF_NOTHING : entries.get(entry.name);
    if (sha256 === undefined) throw new Error(`no digest of ${name}`);
    lines.push({ key: Buffer.from(name), line: `${sha256} ${entry.sizeBytes} ${name}\n` });
  }
  lines.sort((a, b) => a.key.compare(b.key));
  return lines.map(({ line }) => line);
}
