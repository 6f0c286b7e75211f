import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { checksumOf, generationIn, TRAILER_BYTES, type ProofMethod } from '../../frames/proof.js';

/** A picture as the call names it. */
interface NamedPicture {
  id: string;
  kind: 'npy' | 'bin';
  method?: ProofMethod;
}

/** A report as it goes over the wire. */
interface Report {
  read: object[];
  fault?: string;
}

/** What a worker tells of the pictures of a call: it has read each from its folder. Undefined when the call names none. */
export async function reportOf(
  message: Record<string, unknown>,
  environment: Readonly<Record<string, string>>,
): Promise<Report | undefined> {
  if (!Array.isArray(message.pictures)) return undefined;
  const report: Report = { read: [] };
  for (const { id, kind, method } of message.pictures as NamedPicture[]) {
    if (!method) continue;
    try {
      const bytes = await readFile(path.join(environment.PROC_SHM_DIR ?? '', `${id}.${kind}`));
      const content = bytes.subarray(0, -TRAILER_BYTES);
      const generation = generationIn(bytes.subarray(-TRAILER_BYTES));
      const headerBytes = kind === 'npy' ? 10 + content.readUInt16LE(8) : 0;
      const checksum = await checksumOf(
        method,
        content.subarray(0, headerBytes),
        content.subarray(headerBytes),
      );
      report.read.push({ id, generation, size: content.length, checksum, method });
    } catch (error) {
      report.fault = `frame ${id} cannot be read: ${(error as Error).message}`;
    }
  }
  return report;
}
