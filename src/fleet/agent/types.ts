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
  /** Version of this library, for the report. @defaultValue as its package says */
  library?: string;
  /** Time for all waiting of its own. Tests pass a clock that they control. @defaultValue the system's clock */
  clock?: AgentClock;
}
