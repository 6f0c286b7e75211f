import type { ProbationPolicy } from '../../supervisor/switching/probation.js';
import type { AgentDiskPort, FleetConnection, PackageBytesPort, StationPort } from '../ports.js';
import type { MaintenanceWindow } from '../state.js';
import type { AgentClock } from './clock.js';

/** What a {@link FleetAgent} is, and what it works on. */
export interface FleetAgentOptions {
  plant: string;
  /** Name of the station: it is unique in the plant. */
  station: string;
  /** Its group: its maintenance window holds for the station. @defaultValue none */
  group?: string;
  /** Ed25519 public keys (PEM) of controllers: what another key signed is refused. */
  publicKeys: string[];
  /** The station's own maintenance window, beside that of its group: both must be open. @defaultValue at any time */
  window?: MaintenanceWindow;
  /** The line to the server; it stays the caller's, who closes it after the agent. */
  connection: FleetConnection;
  /** Where packages come from. */
  bytes: PackageBytesPort;
  /** Where the agent keeps what it must not forget. */
  disk: AgentDiskPort;
  /** What runs on the station. */
  target: StationPort;
  /** Is called when the agent has ended. @defaultValue nothing */
  onClose?: () => Promise<void>;
  /** Version of this library, for the report. @defaultValue as its package says */
  library?: string;
  /** Time for all waiting of its own. Tests pass a clock that they control. @defaultValue the system's clock */
  clock?: AgentClock;
}

/** What makes the station of a runner a member of a fleet. */
export interface FleetStationOptions extends Pick<
  FleetAgentOptions,
  'plant' | 'station' | 'group' | 'publicKeys' | 'window' | 'connection'
> {
  /** Addresses of sources of packages, the nearest first: see `PackageFetcher`. */
  sources: string[];
  /** Headers of the requests to a source, such as `authorization`. @defaultValue none */
  headers?: (source: string) => Readonly<Record<string, string>>;
  /** Trial of each version that the fleet switches to. @defaultValue the defaults of a trial */
  probation?: Partial<ProbationPolicy>;
  /** Reasons why nothing may be switched now, such as a batch that is under way. @defaultValue none */
  locks?: () => string[] | Promise<string[]>;
}
