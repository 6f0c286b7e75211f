import type { OperationOptions } from '../abort.js';
import type { Archive } from './archive-types.js';
import type { IntegrityOptions } from './integrity/check-integrity.js';
import type { SignedPackage, SignOptions } from './integrity/sign-package.js';
import type { IntegrityPolicy, IntegrityReport } from './integrity/types.js';

export type { IntegrityOptions } from './integrity/check-integrity.js';
export { generateSigningKeys } from './keys.js';
export { checkPolicy } from './integrity/policy.js';
export type { SignedPackage, SignOptions } from './integrity/sign-package.js';
export type { IntegrityPolicy, IntegrityReport, SignatureState, SigningKeys } from './integrity/types.js';

/**
 * Checks the signature of a package and the hashes of its wheels. Nothing is unpacked; the whole content is read once
 * where a signature is demanded.
 *
 * @throws RunnerError `invalid_zip` with the stage `integrity`, in mode `strict`, at the first mismatch; `invalid_params`
 * when a key is no Ed25519 public key
 */
export async function checkIntegrity(
  archive: Archive,
  policy: IntegrityPolicy,
  o: IntegrityOptions = {},
): Promise<IntegrityReport> {
  const { checkIntegrity: check } = await import('./integrity/check-integrity.js');
  return check(archive, policy, o);
}

/**
 * Canonical digest of a package: SHA-256 (hex) over one line for each entry but `SIGNATURE`, sorted by the bytes of the
 * names in UTF-8, each `<sha256 of the content in hex> <size in decimal> <name>\n`. A folder's name has a `/` at its end.
 *
 * It depends on names and contents alone, not on order, compression, dates or modes, so a package that was packed
 * again keeps its signature. Names cannot hold a line break: the archive reader refuses them.
 */
export async function packageDigest(archive: Archive, o: OperationOptions = {}): Promise<string> {
  const { packageDigest: digest } = await import('./integrity/digest.js');
  return digest(archive, o);
}

/**
 * Signs a package: adds an entry `SIGNATURE` with an Ed25519 signature over the canonical digest of all others
 * ({@link packageDigest}). A signature that is there is replaced. The other entries stay as they are, byte for byte.
 *
 * @param zip - path of the package
 * @throws RunnerError `invalid_zip` when the package is none; `invalid_params` when the key is no Ed25519 private key
 */
export async function signPackage(zip: string, o: SignOptions): Promise<SignedPackage> {
  const { signPackage: sign } = await import('./integrity/sign-package.js');
  return sign(zip, o);
}
