/**
 * Deploys offline Python vision algorithms and runs them as supervised services. The types of what it emits and answers in
 * parts are exported by `procvision-runner/types`.
 *
 * @packageDocumentation
 */
export { RunnerError, ERROR_NUMBERS } from './errors.js';
export type { RunnerErrorCode, RunnerErrorDetails, RunnerErrorOptions } from './errors.js';
export { SafeEmitter } from './emitter.js';
export type { OperationOptions } from './abort.js';
export { openRunner, Runner } from './runner/runner.js';
export { doctor, explain } from './runner/diagnosis.js';
export type {
  EnsureOptions,
  Finding,
  HealthReport,
  InspectCallOptions,
  PackageSource,
  RunnerOptions,
} from './runner/types.js';

export { StoreLayout } from './store/layout.js';
export { packProject } from './package/pack.js';
export type {
  ArchiveLimits,
  Check,
  Generation,
  Manifest,
  ManifestStep,
  PackageInspection,
  PackOptions,
  StepParameter,
  ValidationReport,
  VersionRef,
  Wheel,
} from './package/types.js';
export type { IntegrityPolicy } from './package/integrity.js';
export { PackageValidator } from './validation/package-validator.js';
export type { PackageValidatorEvents, PackageValidatorOptions } from './validation/package-validator.js';
export { formatReport } from './validation/report.js';
export { parametersJsonSchema } from './parameters/json-schema.js';
export { parametersTypeScript } from './parameters/typescript.js';
export type { ParameterSchema } from './parameters/types.js';
export { VenvManager, type VenvManagerOptions } from './python/venv-manager.js';
export { fits } from './python/interpreters/tags.js';
export type { Interpreter, Venv, VenvManagerEvents } from './python/types.js';

export { Registry } from './registry/registry.js';
export type { RegistryEvents } from './registry/events.js';
export type { ActiveMapping, PackageState, RegistryEntry } from './registry/types.js';
export type { Guide } from './registry/guides.js';

export { Deployer, type DeployerOptions } from './deploy/deployer.js';
export type {
  DeployerErrorEvent,
  DeployerEvents,
  DeployerProgressEvent,
  DiscoveredPackage,
  DriftReport,
  InstallOptions,
  PruneReport,
  RecoveryReport,
  Retention,
  StageEvent,
  UninstallOptions,
} from './deploy/types.js';

export { FramePool, type FramePoolOptions } from './frames/frame-pool.js';
export type { PictureProof } from './frames/proof.js';
export type { PixelFormat } from './frames/pixels/formats.js';
export type { Frame, ImageInput } from './frames/types.js';
export { AlgorithmWorker } from './worker/algorithm-worker.js';
export type { Rect, ResultData, WorkerException, WorkerFlavour, WorkerSpec } from './worker/types.js';
export { AlgorithmSupervisor } from './supervisor/algorithm-supervisor.js';
export type { AlgorithmSupervisorOptions } from './supervisor/algorithm-supervisor.js';
export type { SupervisorEvents } from './supervisor/events.js';
export type {
  AlgorithmInfo,
  InspectionRequest,
  InspectionResult,
  SupervisedStatus,
} from './supervisor/types.js';
export type { StartReport } from './supervisor/start-active.js';
export { DEFAULT_SUPERVISOR_POLICY } from './supervisor/policy.js';
export type { SupervisorPolicy } from './supervisor/policy.js';
export { DEFAULT_PROBATION } from './supervisor/switching/probation.js';
export type { ProbationPolicy } from './supervisor/switching/probation.js';
export { DEFAULT_SEQUENTIAL_TEST } from './supervisor/switching/sequential-test.js';
export type { RollbackOptions, SwitchOptions } from './supervisor/switching/types.js';
export type { CallObserver } from './supervisor/calls/call-observer.js';
export { CALL_CHANNEL } from './supervisor/calls/tracing.js';
export type { CallTrace } from './supervisor/calls/tracing.js';
export { acceptance, annotatedPicture } from './acceptance/acceptance.js';
export type {
  AcceptanceOptions,
  AcceptanceProgress,
  AcceptanceReport,
  AcceptanceSummary,
} from './acceptance/types.js';
export * from './old-names.js';
