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

/** Longest event in the stream, as JSON in UTF-8: the server takes 32 KiB at most, with headers. */
const MOST_EVENT_BYTES = 24 * 1_024;
const MOST_TEXT_CHARS = 1_000;

/**
 * An event as it is published. The server refuses an event that is too large, and what follows would wait for it without limit: its largest parts
 * are shortened (texts) or left out (lists) until it fits, and `shortened` names them.
 */
export function fitted(event: object): object {
  const fields: Record<string, unknown> = { ...event };
  const shortened: string[] = [];
  while (bytesOf(fields) > MOST_EVENT_BYTES) {
    const [largest] = Object.entries(fields)
      .filter(([field]) => field !== 'shortened' && !shortened.includes(field))
      .sort(([, a], [, b]) => bytesOf(b) - bytesOf(a));
    if (!largest) break;
    const [field, value] = largest;
    fields[field] = typeof value === 'string' ? value.slice(0, MOST_TEXT_CHARS) : undefined;
    fields.shortened = shortened;
    shortened.push(field);
  }
  return fields;
}

function bytesOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
