import { createPublicKey, randomUUID, type KeyObject } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { OperationOptions } from '../../abort.js';
import { renameOver, syncFile } from '../../store/atomic-file.js';
import { copyWithEntry } from '../archive/append-entry.js';
import { changed } from '../archive/fault.js';
import { loadArchive } from '../archive/load-archive.js';
import { openArchive } from '../archive/open-archive.js';
import { SIGNATURE_ENTRY } from '../project-layout.js';
import { packageDigest } from './digest.js';
import { keyIdOf, readPrivateKey } from '../keys.js';
import { formatSignature } from './signature.js';

/** How `signPackage` signs. */
export interface SignOptions extends OperationOptions {
  /** Ed25519 private key, as PEM (PKCS #8) or key object. */
  privateKey: string | KeyObject;
  /** File to write. @defaultValue the package itself, replaced once everything is written */
  output?: string;
}

/** What `signPackage` did. */
export interface SignedPackage {
  /** Canonical digest of the content (hex). */
  digest: string;
  /** Identifier of the key's public half. */
  keyId: string;
}

/** See `signPackage` of the package's face. */
export async function signPackage(zip: string, o: SignOptions): Promise<SignedPackage> {
  const privateKey = readPrivateKey(o.privateKey);
  const publicKey = createPublicKey(privateKey);
  const output = o.output ?? zip;
  const digest = await digestOf(zip, o);
  const content = Buffer.from(formatSignature(digest, privateKey, publicKey));
  const partial = `${output}.${randomUUID()}.partial`;
  try {
    await writeSigned(zip, partial, content, o.signal);
    // It was read twice: what is signed must be what is written.
    if ((await digestOf(partial, o)) !== digest) throw changed(zip);
    await renameOver(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return { digest, keyId: keyIdOf(publicKey) };
}

async function digestOf(zip: string, { signal }: OperationOptions): Promise<string> {
  await using archive = await openArchive(zip, { signal });
  return await packageDigest(archive, { signal });
}

async function writeSigned(
  zip: string,
  partial: string,
  content: Buffer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const archive = await loadArchive(zip, { signal });
  try {
    const out = await open(partial, 'wx');
    try {
      await copyWithEntry(archive, out, { name: SIGNATURE_ENTRY, content }, signal);
      await syncFile(out);
    } finally {
      await out.close();
    }
  } finally {
    await archive.source.close();
  }
}
