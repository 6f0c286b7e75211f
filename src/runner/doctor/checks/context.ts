import type { FramePoolOptions } from '../../../frames/options.js';
import type { IntegrityPolicy } from '../../../package/integrity/types.js';
import type { VersionRef } from '../../../package/types.js';
import type { AlgorithmSupervisor } from '../../../supervisor/algorithm-supervisor.js';
import type { StoreLayout } from '../../../store/layout.js';
import type { PackageValidator } from '../../../validation/package-validator.js';
import type { Finding } from '../finding.js';
import type { Surroundings } from '../surroundings.js';

/** What is examined, and how. */
export interface Examination {
  layout: StoreLayout;
  surroundings: Surroundings;
  /** This version alone. */
  only: VersionRef | undefined;
  /** A package that is not deployed. */
  package: string | undefined;
  /** Whether every file of deployed versions is hashed. */
  verify: boolean;
  /** Whether the version is started once. */
  start: boolean;
  /** Interpreters to use; those of the machine where there are none. */
  python: readonly string[] | undefined;
  integrity: IntegrityPolicy | undefined;
  /** Looks into packages. */
  validator: PackageValidator;
  frames: FramePoolOptions;
  /** The supervisor of a running host. */
  supervisor: AlgorithmSupervisor | undefined;
  signal: AbortSignal | undefined;
}

/** A group of checks. What the system refuses while it looks is no reason to miss the rest: it rejects, and is a finding itself. */
export type Check = (examination: Examination) => Promise<Finding[]>;
