export { checkIntegrity, checkPolicy, type IntegrityOptions } from './integrity/check-integrity.js';
export { packageDigest, SIGNATURE_ENTRY } from './integrity/digest.js';
export { generateSigningKeys } from './integrity/keys.js';
export { signPackage, type SignedPackage, type SignOptions } from './integrity/sign-package.js';
export type { IntegrityPolicy, IntegrityReport, SignatureState, SigningKeys } from './integrity/types.js';
