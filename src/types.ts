/**
 * The types of the library by name: payloads of events, parts of results, details of options. Those of arguments and results
 * that a host itself writes are exported by the main entry, too.
 *
 * @packageDocumentation
 */
export type { ERROR_NUMBERS, RunnerError } from './errors.js';
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
export type { SafeEmitter, CommonEvents, EventListenerOf, EventName } from './emitter.js';
export type { WorkerBounds } from './process/containment.js';
export type { ProcessIdentity } from './process/identity.js';
export type { LifeMark } from './process/life.js';
export type { Durability } from './store/atomic-file.js';
export type { StoreLayout } from './store/layout.js';
export type { OpenArchiveOptions, FileRange } from './package/archive.js';
export type {
  Archive,
  ArchiveDigests,
  ArchiveEntry,
  ExtractReport,
  PlacedEntry,
} from './package/archive-types.js';
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
export type { VenvManager, VenvManagerOptions } from './python/venv-manager.js';
export type { WheelPruneReport } from './python/wheels/wheel-store.js';
export type * from './python/types.js';
export type { PackageValidator } from './validation/package-validator.js';
export type { PackageValidatorEvents, PackageValidatorOptions } from './validation/package-validator.js';
export type { ReadOptions } from './validation/options.js';
export type { Inspected, OpenedPackage } from './validation/inspect.js';
export type { CHECK_ORDER, CheckName } from './validation/check-list.js';
export type { ProbeFindings, ProbeTarget } from './validation/probe.js';
export type { JsonSchema } from './parameters/json-schema.js';
export type { ParameterSchema, ParameterValues, StepParameters } from './parameters/types.js';
export type { Registry } from './registry/registry.js';
export type { ParamsChange } from './registry/params.js';
export type { ConfiguredEvent, ParamsSetEvent, RegistryEvents, UnmarkedEvent } from './registry/events.js';
export type { PolicyChange, RegistryFilter, RegistryOptions } from './registry/registry.js';
export type { Guide, GuideInfo, GuidePlace, GuideSource } from './registry/guides.js';
export type { SwitchBack, SwitchBackOrder } from './registry/barring.js';
export type { MappingChange } from './registry/mappings.js';
export type { RegistryDamage } from './registry/rebuild.js';
export type { UnregisterOptions } from './registry/unregister.js';
export type { VersionUse } from './registry/uses.js';
export type * from './registry/types.js';
export type { FramePool, FramePoolOptions } from './frames/frame-pool.js';
export type { PictureProof, ProofMethod, ProofPolicy, ProvenImage } from './frames/proof.js';
export type { BayerOrder, PixelFormat, ToEightBits } from './frames/pixels/formats.js';
export type * from './frames/types.js';
export type { AlgorithmWorker } from './worker/algorithm-worker.js';
export type * from './worker/types.js';
export type { Deployer, DeployerOptions, WatchOptions } from './deploy/deployer.js';
export type * from './deploy/types.js';
export type * from './supervisor/events.js';
export type * from './supervisor/types.js';
export type { WarmStartStatus } from './supervisor/warm-start/types.js';
export type * from './supervisor/worker-logs/types.js';
export type * from './supervisor/outbox/result-outbox.js';
export type { AlgorithmSupervisor } from './supervisor/algorithm-supervisor.js';
export type { AlgorithmSupervisorOptions, ConfigureOptions } from './supervisor/algorithm-supervisor.js';
export type {
  FailedStart,
  StartActiveOptions,
  StartedVersion,
  StartReport,
} from './supervisor/start-active.js';
export type { SupervisorPolicy, VersionPolicy } from './supervisor/policy.js';
export type { ProbationPolicy } from './supervisor/switching/probation.js';
export type { SequentialDecision, SequentialTestOptions } from './supervisor/switching/sequential-test.js';
export type * from './supervisor/switching/types.js';
export type { Clock } from './supervisor/clock.js';
export type { CircuitState, RestartOptions } from './supervisor/pool/restart-policy.js';
export type { LatencySummary } from './supervisor/latency.js';
export type { CallTrace } from './supervisor/calls/tracing.js';
export type { Runner } from './runner/runner.js';
export type * from './runner/types.js';
export type * from './acceptance/types.js';
export type { CertainDetails, GivenDetails } from './error-details.js';
export type { RunnerErrorArguments } from './errors.js';
export type * from './supervisor/calls/call-observer.js';
export type { AnswerRules } from './supervisor/calls/result-contract.js';
export type { GivenValues } from './parameters/call-parameters.js';
export type { RetainedVersion } from './supervisor/observers.js';
export type * from './supervisor/recording-types.js';
export type { RecordedCall, RecordedImage } from './recording/format.js';
// What the comments of types refer to.
export type { DEFAULT_ARCHIVE_LIMITS } from './package/archive.js';
export type { DEFAULT_SUPERVISOR_POLICY } from './supervisor/policy.js';
export type { doctor } from './runner/diagnosis.js';
export type { openRunner } from './runner/runner.js';
export type { acceptance, annotatedPicture } from './acceptance/acceptance.js';
