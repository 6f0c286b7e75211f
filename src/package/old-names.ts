import type { OperationOptions } from '../abort.js';
import type { Archive } from './archive-types.js';
import * as signing from './integrity.js';
import type { SignedPackage, SigningKeys, SignOptions } from './integrity.js';

/** Makes a pair of Ed25519 keys. @deprecated Import it from `procvision-runner/signing`. */
export function generateSigningKeys(): SigningKeys {
  return signing.generateSigningKeys();
}

/** Canonical digest of a package. @deprecated Import it from `procvision-runner/signing`. */
export function packageDigest(archive: Archive, o: OperationOptions = {}): Promise<string> {
  return signing.packageDigest(archive, o);
}

/** Signs a package. @deprecated Import it from `procvision-runner/signing`. */
export function signPackage(zip: string, o: SignOptions): Promise<SignedPackage> {
  return signing.signPackage(zip, o);
}
