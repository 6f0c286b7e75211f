/**
 * A station in a plant: what it is to run comes as signed state over NATS JetStream, package bytes by content over HTTP. A station
 * without a line serves on as before. `@nats-io/transport-node`, `@nats-io/jetstream` and `@nats-io/kv` are optional peers.
 *
 * @packageDocumentation
 */
export { eventSubject, keyOf, nameOf, namesIn, tokenOf } from './keys.js';
export { REPORT_EVERY_MS } from './state.js';
export { connectFleet, type FleetServerConnection } from './nats/connection.js';
export type { CreateFleetOptions } from './nats/create.js';
export type { FleetConnectOptions, FleetTlsOptions } from './nats/options.js';
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
