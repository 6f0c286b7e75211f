import type { KeyObject } from 'node:crypto';
import type { KeySetPolicy } from '../key-set/types.js';

/** What is done about a package that was altered or comes from nobody known. */
export interface IntegrityPolicy {
  /** `off` checks nothing, `lenient` reports, `strict` refuses. */
  mode: 'off' | 'lenient' | 'strict';
  /**
   * Ed25519 public keys, as PEM (SPKI) or key object. When given, a signature by one of them is demanded, also of an
   * empty list, which no signature meets; when left out, only wheel hashes are checked.
   */
  publicKeys?: readonly (string | KeyObject)[];
  /**
   * A signed file of keys in place of `publicKeys`: keys that expire, are renewed, and may sign certain packages from
   * certain versions on. See `procvision-runner/signing`.
   */
  keySet?: KeySetPolicy;
}

/** What a package's signature was worth. */
export type SignatureState =
  /** Made by a given key over exactly this content. */
  | 'valid'
  /** Made by a key that was not given. It cannot be verified. */
  | 'unknown_key'
  /** By a given key but over other content, or malformed. */
  | 'invalid'
  /** There is no `SIGNATURE` entry. */
  | 'missing'
  /** No keys were given, or the mode is `off`. */
  | 'not_checked';

/** Result of a check of integrity. */
export interface IntegrityReport {
  /** What came of the signature. */
  signature: SignatureState;
  /** Identifier of the key that the signature names. */
  keyId?: string;
  /** Canonical digest of the content (hex), where it was needed. */
  digest?: string;
  /** Every mismatch, in words. Empty when all is in order. */
  findings: string[];
}

/** A pair of Ed25519 keys, as PEM. */
export interface SigningKeys {
  /** SPKI; goes to those who deploy. */
  publicKey: string;
  /** PKCS #8, not encrypted; stays with those who sign. */
  privateKey: string;
  /** Identifier of the public key: see {@link IntegrityReport.keyId}. */
  keyId: string;
}
