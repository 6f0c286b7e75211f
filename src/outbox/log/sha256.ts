import type * as Crypto from 'node:crypto';
import { nodeCrypto } from '../../node-crypto.js';

/**
 * SHA-256. A log hashes several times for each record: without an object for each hash, and with its digest as a string, Node takes
 * a third of the time. Node has `hash()` since 20.12.
 */
export function sha256(data: Uint8Array): Buffer {
  const { createHash, hash } = nodeCrypto() as Partial<typeof Crypto> & Pick<typeof Crypto, 'createHash'>;
  if (!hash) return createHash('sha256').update(data).digest();
  return Buffer.from(hash('sha256', data, 'binary'), 'binary');
}
