/** Names that the main entry still has for one minor version. */
import type { OperationOptions } from './abort.js';
import type { DeployerErrorEvent, DeployerProgressEvent } from './deploy/types.js';
import type { RunnerError, RunnerErrorCode } from './errors.js';
import type { Archive } from './package/archive-types.js';
import * as signing from './package/integrity.js';
import type { SignedPackage, SigningKeys, SignOptions } from './package/integrity.js';

/** A failure whose code is known. @deprecated It is `RunnerError<C>`. */
export type RunnerErrorOf<C extends RunnerErrorCode> = RunnerError<C>;

/** How far an operation is. @deprecated It is `DeployerProgressEvent`: the DOM has a ProgressEvent. */
export type ProgressEvent = DeployerProgressEvent;

/** Something failed that no caller waits for. @deprecated It is `DeployerErrorEvent`: the DOM has an ErrorEvent. */
export type ErrorEvent = DeployerErrorEvent;

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
