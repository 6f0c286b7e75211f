/**
 * Signs packages, and makes the sets of keys that stations trust: after the roles root and targets of The Update
 * Framework, so that keys expire, are renewed and need more than one holder.
 *
 * @packageDocumentation
 */
export { DEFAULT_ARCHIVE_LIMITS, openArchive } from '../package/archive.js';
export type { OpenArchiveOptions } from '../package/archive.js';
export type { Archive } from '../package/archive-types.js';
export { checkIntegrity, generateSigningKeys, packageDigest, signPackage } from '../package/integrity.js';
export type {
  IntegrityOptions,
  IntegrityPolicy,
  IntegrityReport,
  SignatureState,
  SignedPackage,
  SigningKeys,
  SignOptions,
} from '../package/integrity.js';
export {
  checkKeySet,
  createKeySet,
  readKeySet,
  rootOf,
  rotateKeySet,
  signKeySet,
  writeKeySet,
} from './key-sets.js';
export type { CheckKeySetOptions, PrivateKeys } from './key-sets.js';
export type {
  KeyHolders,
  KeySet,
  KeySetContent,
  KeySetPolicy,
  KeySetReport,
  PackageSigner,
  SignedDocument,
} from '../package/key-set/types.js';
