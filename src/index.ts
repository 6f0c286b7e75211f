/**
 * Deploys offline Python vision algorithms and runs them as supervised services.
 *
 * @packageDocumentation
 */
export { RunnerError, ERROR_NUMBERS } from './errors.js';
export type {
  RunnerErrorCode,
  RunnerErrorDetails,
  RunnerErrorFacts,
  RunnerErrorOptions,
  FieldIssue,
  ProcessDetails,
} from './errors.js';
export type { OperationOptions } from './abort.js';
export type { ProductIdList, ProductIdName } from './product-ids.js';
export { SafeEmitter, type CommonEvents, type EventListenerOf, type EventName } from './emitter.js';
export type { WorkerBounds } from './process/containment.js';
export type { ProcessIdentity } from './process/identity.js';
export type { LifeMark } from './process/life.js';
export type { Durability } from './store/atomic-file.js';
export { StoreLayout } from './store/layout.js';
export { openArchive, DEFAULT_ARCHIVE_LIMITS } from './package/archive.js';
export type { OpenArchiveOptions, FileRange } from './package/archive.js';
export type {
  Archive,
  ArchiveDigests,
  ArchiveEntry,
  ExtractReport,
  PlacedEntry,
} from './package/archive-types.js';
export { packProject } from './package/pack.js';
export { checkIntegrity } from './package/integrity.js';
export type {
  IntegrityOptions,
  IntegrityPolicy,
  IntegrityReport,
  SignatureState,
  SignedPackage,
  SigningKeys,
  SignOptions,
} from './package/integrity.js';
export type { KeySetPolicy } from './package/key-set/types.js';
export type * from './package/types.js';
export type { ProjectLayout } from './package/project-layout.js';
export { VenvManager, type VenvManagerOptions } from './python/venv-manager.js';
export type { WheelPruneReport } from './python/wheels/wheel-store.js';
export { fits } from './python/interpreters/tags.js';
export type * from './python/types.js';
export { PackageValidator } from './validation/package-validator.js';
export type { PackageValidatorEvents, PackageValidatorOptions } from './validation/package-validator.js';
export type { ReadOptions } from './validation/options.js';
export type { Inspected, OpenedPackage } from './validation/inspect.js';
export { CHECK_ORDER, type CheckName } from './validation/check-list.js';
export { formatReport } from './validation/report.js';
export type { ProbeFindings, ProbeTarget } from './validation/probe.js';
export { parametersJsonSchema, type JsonSchema } from './parameters/json-schema.js';
export { parametersTypeScript } from './parameters/typescript.js';
export type { ParameterSchema, ParameterValues, StepParameters } from './parameters/types.js';
export { Registry } from './registry/registry.js';
export type { ParamsChange } from './registry/params.js';
export type { ConfiguredEvent, ParamsSetEvent, RegistryEvents, UnmarkedEvent } from './registry/events.js';
export type { PolicyChange, RegistryFilter, RegistryOptions } from './registry/registry.js';
export type { Guide, GuideInfo, GuidePlace, GuideSource } from './registry/guides.js';
export type { SwitchBack, SwitchBackOrder } from './registry/barring.js';
export type { MappingChange } from './registry/mappings.js';
export type { RegistryDamage } from './registry/rebuild.js';
export type { MovedFiles } from './registry/shared-content.js';
export type { UnregisterOptions } from './registry/unregister.js';
export type { VersionUse } from './registry/uses.js';
export type * from './registry/types.js';
export { FramePool, type FramePoolOptions } from './frames/frame-pool.js';
export type { PictureProof, ProofMethod, ProofPolicy, ProvenImage } from './frames/proof.js';
export type { BayerOrder, PixelFormat, ToEightBits } from './frames/pixels/formats.js';
export type * from './frames/types.js';
export { AlgorithmWorker } from './worker/algorithm-worker.js';
export type * from './worker/types.js';
export { Deployer, type DeployerOptions, type WatchOptions } from './deploy/deployer.js';
export type * from './deploy/types.js';
export type * from './supervisor/events.js';
export type * from './supervisor/types.js';
export type * from './supervisor/worker-logs/types.js';
export { AlgorithmSupervisor } from './supervisor/algorithm-supervisor.js';
export type { AlgorithmSupervisorOptions, ConfigureOptions } from './supervisor/algorithm-supervisor.js';
export type {
  FailedStart,
  StartActiveOptions,
  StartedVersion,
  StartReport,
} from './supervisor/start-active.js';
export { DEFAULT_SUPERVISOR_POLICY } from './supervisor/policy.js';
export type { SupervisorPolicy, VersionPolicy } from './supervisor/policy.js';
export { DEFAULT_PROBATION } from './supervisor/switching/probation.js';
export type { ProbationPolicy } from './supervisor/switching/probation.js';
export { DEFAULT_SEQUENTIAL_TEST } from './supervisor/switching/sequential-test.js';
export type { SequentialDecision, SequentialTestOptions } from './supervisor/switching/sequential-test.js';
export type * from './supervisor/switching/types.js';
export type { Shadow, ShadowEvent, ShadowOptions } from './supervisor/onlookers/shadow-types.js';
export { formatComparison } from './supervisor/comparison/comparison-report.js';
export type { ComparisonReport, Disagreement } from './supervisor/comparison/comparison-report.js';
export type { AnswerComparison } from './supervisor/comparison/comparison.js';
export type * from './supervisor/recording/types.js';
export type { ReplayOptions } from './supervisor/recording/replay.js';
export type { RecordedCall, RecordedImage } from './supervisor/recording/format.js';
export type { Clock } from './supervisor/clock.js';
export type { CircuitState, RestartOptions } from './supervisor/pool/restart-policy.js';
export type { LatencySummary } from './supervisor/latency.js';
export { CALL_CHANNEL } from './supervisor/calls/tracing.js';
export type { CallTrace } from './supervisor/calls/tracing.js';
export { openRunner, Runner } from './runner/runner.js';
export type * from './runner/types.js';
export { acceptance, annotatedPicture } from './acceptance/acceptance.js';
export type * from './acceptance/types.js';
export * from './old-names.js';
