/**
 * A station in a plant: what it is to run comes as signed state over NATS JetStream, package bytes by content over HTTP. A station
 * without a line serves on as before. `@nats-io/transport-node`, `@nats-io/jetstream` and `@nats-io/kv` are optional peers.
 *
 * @packageDocumentation
 */
export { exportPackage } from './bytes/export-package.js';
export type { ListedPackage } from './bytes/export-package.js';
export { PackageFetcher } from './bytes/package-fetcher.js';
export type { PackageFetcherOptions } from './bytes/package-fetcher.js';
export { eventSubject, keyOf, nameOf, namesIn, tokenOf } from './keys.js';
export { REPORT_EVERY_MS } from './state.js';
export { openInspector, type RemoteInspector } from './inspections/inspector.js';
export type { PictureOfferOptions } from './inspections/offer.js';
export type {
  InspectorOptions,
  RemoteInspectOptions,
  ServeInspectionsOptions,
} from './inspections/options.js';
export { type InspectionService, serveInspections } from './inspections/service.js';
export type { PictureAt, RemoteAnswer } from './inspections/wire.js';
export { connectFleet, type FleetServerConnection } from './nats/connection.js';
export type { CreateFleetOptions } from './nats/create.js';
export type { FleetConnectOptions, FleetTlsOptions } from './nats/options.js';
export {
  fleetPermissions,
  type FleetPermissionsOptions,
  type FleetRole,
  type FleetUser,
} from './nats/permissions.js';
export { type FleetServer, type FleetServerOptions, startFleetServer } from './server/fleet-server.js';
export { type FleetUserFiles, type FleetUsersOptions, writeFleetUsers } from './server/user-files.js';
export type {
  AgentDiskPort,
  AgentRecord,
  DeployedPackage,
  EventStreamPort,
  FetchedPackage,
  FetchProgress,
  FleetConnection,
  KeyValuePort,
  PackageBytesPort,
  ServedVersion,
  StationPort,
  StoredEvent,
  StoredValue,
  WantedPackage,
  WatchOptions,
} from './ports.js';
export type {
  BarState,
  CallFigures,
  DesiredNotes,
  DesiredState,
  GroupState,
  LeaseState,
  MaintenanceWindow,
  ReportedState,
  RolloutGates,
  RolloutMark,
  RolloutOrder,
  RolloutState,
  RolloutWave,
  SignedState,
  StationState,
} from './state.js';
export { openBar, openDesired, openGroup, signState, trustedKeys } from './state/signing.js';
export type { AcceptedState, Expected, SignedStates, TrustedKeys } from './state/signing.js';
export { readLease, readReported } from './state/read.js';
export { partsOf, refOf } from './state/refs.js';
export { FleetController } from './controller/controller.js';
export type { FleetControllerEvents } from './controller/controller.js';
export { FleetOperator } from './controller/operator.js';
export type {
  FleetControllerOptions,
  FleetOperatorOptions,
  GroupOptions,
  ApprovalWord,
  OperatorWord,
  RebuildOptions,
  StateKeys,
} from './controller/types.js';
export type { GateOptions, RolloutRequest, WaveOptions } from './controller/order.js';
export type { GateCheck } from './controller/calls.js';
export type { WaveReport, WaveTimes } from './controller/gates.js';
export type { NeededBytes, PlannedStation, PlannedWave, RolloutPlan } from './controller/plan.js';
export type { Rebuilt } from './controller/rebuild.js';
export type { Standing, StandingReport } from './controller/standing.js';
export { rolloutStatus, stationStatus, statusOf } from './controller/status.js';
export type { FleetStatus, RolloutStatus, StationStatus } from './controller/status.js';
export type { FleetView, StationView } from './controller/view.js';
export { FleetAgent } from './agent/agent.js';
export type { AgentClock, LocalTime } from './agent/clock.js';
export type { FleetAgentEvents, FleetEvent, FleetFact } from './agent/events.js';
export { openFleetAgent } from './agent/open-agent.js';
export type { FleetAgentOptions, FleetStationOptions } from './agent/types.js';
export { AgentDisk } from './agent/disk/agent-disk.js';
export { RunnerStation } from './agent/runner/runner-station.js';
export type { RunnerStationOptions } from './agent/runner/runner-station.js';
