import type { RunnerError } from '../../errors.js';
import type { ReportedState, StationState } from '../state.js';

/** What an agent writes down, and publishes in the stream, with its `offset` there. */
export type FleetEvent = { at: string } & FleetFact;

/** What happened. Versions are `name@version`. */
export type FleetFact =
  | { kind: 'desired'; rev: number; rollout?: string }
  | { kind: 'refused'; key: string; reason: string }
  | { kind: 'bar'; version: string; reason: string; by: string }
  | { kind: 'lifted'; version: string; reason: string; by: string }
  | { kind: 'back'; from: string; to: Record<string, string>; left: string[] }
  | { kind: 'installed'; version: string; fetched_bytes: number; reused_bytes: number }
  | { kind: 'switched'; version: string; products: string[] }
  | { kind: 'uninstalled'; version: string }
  | { kind: 'state'; rev: number; state: StationState; reason?: string; code?: string };

/** Events of a FleetAgent. */
export interface FleetAgentEvents {
  /** It was written down on the station; it is published once there is a line. */
  event: [event: FleetEvent];
  /** A report was stored in the bucket. */
  reported: [report: ReportedState];
  /** Something failed; it is tried again. */
  failure: [error: RunnerError];
}
