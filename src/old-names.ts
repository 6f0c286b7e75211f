/** Names that the main entry still has for one minor version. */
import type { OperationOptions } from './abort.js';
import type { DeployerErrorEvent, DeployerProgressEvent } from './deploy/types.js';
import type { RunnerError, RunnerErrorCode } from './errors.js';
import type { Archive } from './package/archive-types.js';
import * as archives from './package/archive.js';
import type { OpenArchiveOptions } from './package/archive.js';
import * as signing from './package/integrity.js';
import type {
  IntegrityOptions,
  IntegrityPolicy,
  IntegrityReport,
  SignedPackage,
  SigningKeys,
  SignOptions,
} from './package/integrity.js';
import type { ArchiveLimits } from './package/types.js';
import * as comparison from './recording/comparison-report.js';
import type { ComparisonReport } from './supervisor/recording-types.js';

export type { RecordedCall } from './recording/format.js';

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

/** Opens a package for reading. @deprecated Import it from `procvision-runner/signing`. */
export function openArchive(path: string, options: OpenArchiveOptions = {}): Promise<Archive> {
  return archives.openArchive(path, options);
}

/** Checks the signature and the wheels' hashes of a package. @deprecated Import it from `procvision-runner/signing`. */
export function checkIntegrity(
  archive: Archive,
  policy: IntegrityPolicy,
  o: IntegrityOptions = {},
): Promise<IntegrityReport> {
  return signing.checkIntegrity(archive, policy, o);
}

/** Bounds on what an archive may contain. @deprecated They are in the comments of `ArchiveLimits`. */
export const DEFAULT_ARCHIVE_LIMITS: Readonly<ArchiveLimits> = archives.DEFAULT_ARCHIVE_LIMITS;

/** How a version did, for people. @deprecated Import it from `procvision-runner/recording`. */
export function formatComparison(report: ComparisonReport): string {
  return comparison.formatComparison(report);
}
