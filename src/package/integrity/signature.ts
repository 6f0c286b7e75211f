import { sign, verify, type KeyObject } from 'node:crypto';
import { keyIdOf } from '../keys.js';

/** First line of a signature, and of what is signed: a signature made for something else cannot be used here. */
const FORMAT = 'procvision-package-signature-v1';

/** No signature is longer; a longer entry is none. */
export const MAX_SIGNATURE_BYTES = 4096;

/** A `SIGNATURE` entry, read. */
export interface PackageSignature {
  keyId: string;
  /** What the signer says the canonical digest is. */
  digest: string;
  signature: Buffer;
}

/** Text of a `SIGNATURE` entry over a canonical digest. */
export function formatSignature(digest: string, privateKey: KeyObject, publicKey: KeyObject): string {
  const signature = sign(null, messageOf(digest), privateKey).toString('base64');
  return `${FORMAT}\ndigest: sha256:${digest}\nkey: ${keyIdOf(publicKey)}\nsignature: ${signature}\n`;
}

const PATTERN = new RegExp(
  `^${FORMAT}\\r?\\ndigest: sha256:([0-9a-f]{64})\\r?\\nkey: ([0-9a-f]{32})\\r?\\nsignature: ([A-Za-z0-9+/]{86}==)\\r?\\n?$`,
);

/** @returns undefined when the text is no signature of this format */
export function parseSignature(text: string): PackageSignature | undefined {
  const [, digest, keyId, signature] = PATTERN.exec(text) ?? [];
  if (digest === undefined || keyId === undefined || signature === undefined) return undefined;
  return { digest, keyId, signature: Buffer.from(signature, 'base64') };
}

/** Whether `key` made this signature over this digest. The digest is the one computed, not the one it names. */
export function isSignedBy(key: KeyObject, digest: string, { signature }: PackageSignature): boolean {
  return verify(null, messageOf(digest), key, signature);
}

function messageOf(digest: string): Buffer {
  return Buffer.from(`${FORMAT}\nsha256:${digest}\n`);
}
