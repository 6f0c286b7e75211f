import { createPublicKey, type KeyObject } from 'node:crypto';
import { keyIdOf } from '../keys.js';
import type { KeySet, SignedDocument } from './types.js';

/** What a file must say it is. */
export const FORMAT = 'procvision-key-set-v1';

/** Names of TUF's roles that are used; snapshot and timestamp are for repositories that are asked over a network. */
export const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;

/** SPKI encoding of an Ed25519 key up to the key itself. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** A public key in a document. */
export interface DocumentKey {
  keytype: string;
  scheme: string;
  keyval: { public: string };
}

/** A public key as documents have it. */
export function documentKey(key: KeyObject): DocumentKey {
  const spki = key.export({ type: 'spki', format: 'der' });
  return {
    keytype: 'ed25519',
    scheme: 'ed25519',
    keyval: { public: spki.subarray(SPKI_PREFIX.length).toString('hex') },
  };
}

/** The key of a document; undefined when it is no Ed25519 key, or stands under the identifier of another. */
export function readDocumentKey(keyId: string, value: unknown): KeyObject | undefined {
  const { keytype, scheme, keyval } = (value ?? {}) as Partial<DocumentKey>;
  const raw = keyval?.public;
  if (keytype !== 'ed25519' || scheme !== 'ed25519' || !/^[0-9a-f]{64}$/.test(String(raw))) return undefined;
  const der = Buffer.concat([SPKI_PREFIX, Buffer.from(String(raw), 'hex')]);
  try {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return keyIdOf(key) === keyId ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value has the shape of a signed document. */
export function isSignedDocument(value: unknown): value is SignedDocument {
  const { signed, signatures } = (value ?? {}) as Partial<SignedDocument>;
  return typeof signed === 'object' && (signed as object | null) !== null && Array.isArray(signatures);
}

/** Whether a value has the shape of a key set; what its documents say is another matter. */
export function isKeySet(value: unknown): value is KeySet {
  const { format, root, targets } = (value ?? {}) as Partial<KeySet>;
  return (
    format === FORMAT && Array.isArray(root) && root.every(isSignedDocument) && isSignedDocument(targets)
  );
}
