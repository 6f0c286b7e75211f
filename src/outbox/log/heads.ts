import type { KeyObject } from 'node:crypto';
import { nodeCrypto } from '../../node-crypto.js';
import { keyIdOf } from '../../package/keys.js';

/** What a station vouches for: that its log has these records, and no others. */
export interface SignedHead {
  /** Id of the log, made at random with it. */
  origin: string;
  /** Records in the log. */
  size: number;
  /** Root of their Merkle tree (RFC 9162): 64 hexadecimal digits. */
  root: string;
  /** When it was signed: Unix time in milliseconds. */
  timestamp_ms: number;
  /** Which key signed it. */
  key_id: string;
  /** Ed25519, base64. */
  signature: string;
}

/** The last time that a `Date` can say. */
const LATEST_MS = 8.64e15;

/** Signs heads. */
export type Seal = (head: Pick<SignedHead, 'origin' | 'size' | 'root'>) => SignedHead;

/** Signs with this key. */
export function sealWith(privateKey: KeyObject, now: () => number): Seal {
  const { createPublicKey, sign } = nodeCrypto();
  const key_id = keyIdOf(createPublicKey(privateKey));
  return (head) => {
    const unsigned = { ...head, timestamp_ms: Math.floor(now()), key_id };
    return { ...unsigned, signature: sign(null, messageOf(unsigned), privateKey).toString('base64') };
  };
}

/** Whether this key signed the head as it is. */
export function isSignedBy(head: SignedHead, publicKey: KeyObject): boolean {
  const signature = Buffer.from(head.signature, 'base64');
  return nodeCrypto().verify(null, messageOf(head), publicKey, signature);
}

/** Lines, each with one field, behind a line that no other signature of this library begins with. */
function messageOf({ origin, size, root, timestamp_ms, key_id }: Omit<SignedHead, 'signature'>): Buffer {
  return Buffer.from(
    `procvision-runner outbox head v1\n${origin}\n${size}\n${root}\n${timestamp_ms}\n${key_id}\n`,
  );
}

/** Reads a head that was exported. Undefined where the value is none. */
export function headIn(value: unknown): SignedHead | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { origin, size, root, timestamp_ms, key_id, signature } = value as Partial<SignedHead>;
  const isNumber = [size, timestamp_ms].every(
    (number) => Number.isSafeInteger(number) && Number(number) >= 0,
  );
  const isWhole = isNumber && Number(timestamp_ms) <= LATEST_MS;
  const isText = [origin, root, key_id, signature].every((text) => typeof text === 'string');
  if (!isWhole || !isText || !/^[0-9a-f]{64}$/.test(root ?? '')) return undefined;
  return { origin, size, root, timestamp_ms, key_id, signature } as SignedHead;
}
