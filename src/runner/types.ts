import type { Readable } from 'node:stream';
import type { OperationOptions } from '../abort.js';
import type { Deployer } from '../deploy/deployer.js';
import type { DeployerOptions } from '../deploy/options.js';
import type { FramePool } from '../frames/frame-pool.js';
import type { FramePoolOptions } from '../frames/options.js';
import type { ImageInput } from '../frames/types.js';
import type { IntegrityPolicy } from '../package/integrity.js';
import type { VersionRef } from '../package/types.js';
import type { VenvManagerOptions } from '../python/options.js';
import type { VenvManager } from '../python/venv-manager.js';
import type { RegistryOptions } from '../registry/options.js';
import type { Registry } from '../registry/registry.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { AlgorithmSupervisorOptions } from '../supervisor/options.js';
import type { ResultOutbox } from '../supervisor/outbox/result-outbox.js';
import type { PackageValidatorOptions } from '../validation/options.js';
import type { PackageValidator } from '../validation/package-validator.js';

export type { Explanation } from './doctor/explain.js';
export type { Finding, FindingFix } from './doctor/finding.js';
export type { FindingId, FINDINGS } from './doctor/catalogue.js';
export type { FindingKind, Severity } from './doctor/kinds/kind.js';

/** What a {@link Runner} is made of. */
export interface RunnerParts {
  /** What is deployed, and which version serves which product id. */
  registry: Registry;
  /** Takes packages into the store and out of it. */
  deployer: Deployer;
  /** Tells what a package is and every fault it has. */
  validator: PackageValidator;
  /** Interpreters and environments. */
  venvs: VenvManager;
  /** Runs what is deployed. */
  supervisor: AlgorithmSupervisor;
  /** Where images go. */
  frames: FramePool;
}

/** Options of {@link doctor}; without a version or a package it looks at the whole station. */
export interface DoctorOptions extends OperationOptions {
  /** Look at a deployed version alone: its package's name. */
  name?: string;
  /** Look at a deployed version alone: its version. */
  version?: string;
  /** Look at a package that is not deployed: path of a zip. */
  package?: string;
  /**
   * Whether to read every file of deployed versions, and compare it with what was installed; their Pythons are asked for their version
   * then. @defaultValue true
   */
  verify?: boolean;
  /** Whether to start the version that is named, once, as a host does: what its package brings is run. @defaultValue false */
  start?: boolean;
  /** Interpreters to use. @defaultValue those of this machine */
  python?: string | string[];
  /** How packages are checked: its keys are looked at. @defaultValue no check */
  integrity?: IntegrityPolicy;
  /** Where frames go. @defaultValue as of a `FramePool` */
  frames?: FramePoolOptions;
}

/** Options of the parts of a {@link Runner}, each under the name of its part. */
export interface RunnerOptions extends OperationOptions {
  /** Of `Registry.open`. */
  registry?: Omit<RegistryOptions, 'signal'>;
  /** Of the `VenvManager`. @defaultValue `{ installer: 'link' }` */
  venvs?: VenvManagerOptions;
  /** Of the `PackageValidator`. */
  validator?: Omit<PackageValidatorOptions, 'venvs'>;
  deployer?: Omit<DeployerOptions, 'registry' | 'venvs' | 'validator'>;
  /** Of the `AlgorithmSupervisor`. */
  supervisor?: Omit<AlgorithmSupervisorOptions, 'registry' | 'frames' | 'outbox'>;
  /**
   * Where each verdict goes: an `Outbox` of `procvision-runner/outbox`. It stays the caller's: close it after the runner.
   * @defaultValue none
   */
  outbox?: ResultOutbox;
  /** Of the `FramePool`. @defaultValue the group of `supervisor.policy.gid` */
  frames?: FramePoolOptions;
  /**
   * Folder with the files that ship beside the modules of this library: a copy of its `dist`. For a bundle, which does not know
   * where they are; the same in every runner of a process.
   * @defaultValue the variable `PROCVISION_ASSETS`, else the folder of the module
   */
  assets?: string;
}

/**
 * Where a package comes from: the path or `file:` URL of a zip or of an unpacked project folder, or the bytes of a zip, whole
 * or as a stream.
 */
export type PackageSource = string | URL | Uint8Array | Blob | Readable | ReadableStream<Uint8Array>;

/** Options of {@link Runner.ensureInstalled}. */
export interface EnsureOptions extends OperationOptions {
  /** Product ids to bind to the version; `true` for all that the package supports. @defaultValue none */
  activate?: boolean | string[];
  /** Replace this version where it is deployed from other bytes. @defaultValue false */
  force?: boolean;
  /** Who asked, for the audit log. */
  operator?: string;
}

/**
 * Options of {@link Runner.inspect}.
 *
 * @typeParam Params - of `userParams`
 */
export interface InspectCallOptions<
  Params extends object = Record<string, unknown>,
> extends OperationOptions {
  /** Goes to this version, whatever the mapping of the product id says. @defaultValue the version that serves the product id */
  target?: VersionRef;
  /** Step that is called. @defaultValue the first that the version declares, else 1 */
  stepIndex?: number;
  /** Parameters of the step, by key. */
  userParams?: Params;
  /**
   * What the image is compared with (execute-only generation): an image, the path of a picture, or `'same'`.
   * @defaultValue the registered guide
   */
  guideImage?: ImageInput | string;
  /** For `pre_execute` and `execute` together. @defaultValue the policy's limit for each */
  timeoutMs?: number;
  /** The trace that the calls belong to: `traceparent` of W3C Trace Context. @defaultValue none */
  traceparent?: string;
}

/** One thing that {@link Runner.health} looked at. */
export interface HealthCheck {
  /** `store`, or the name and version of a package that is active. */
  name: string;
  /** Whether it is as it should be. */
  ok: boolean;
  /** What was found, for people. */
  message: string;
}

/** What {@link Runner.health} found. */
export interface HealthReport {
  /** The runner is open: a restart would not help. */
  live: boolean;
  /** Every check is ok: each active version answers calls. */
  ready: boolean;
  /** The store, then each active version. */
  checks: HealthCheck[];
}
