import type { BarState, DesiredState, GroupState, ReportedState, RolloutState } from '../state.js';

/** What a controller knows of a station. */
export interface StationView {
  station: string;
  desired?: DesiredState;
  reported?: ReportedState;
  /** Whether it has reported lately, by the clock of the controller that looks. */
  isReachable: boolean;
  /** Why what it reports cannot be used, such as that it is a station of another plant. */
  trouble?: string;
}

/** What a controller knows: all of it comes from the bucket, checked. */
export interface FleetView {
  plant: string;
  /** Of the controller that looks. */
  term: number;
  stations: ReadonlyMap<string, StationView>;
  groups: ReadonlyMap<string, GroupState>;
  /** By `name@version`; those that were lifted are among them. */
  bars: ReadonlyMap<string, BarState>;
  rollouts: readonly RolloutState[];
  /** ISO 8601, for people. */
  at: string;
}

/** The station as it is known; a station that was never heard of cannot be reached. */
export function stationIn(view: FleetView, station: string): StationView {
  return view.stations.get(station) ?? { station, isReachable: false };
}

/** A revision is from the station, and untrusted: one near the end of the numbers would leave no room for another. */
export function isUsable(rev: number): boolean {
  return rev < 2 ** 50;
}

/**
 * Revision of the next bar or group. It is above the present word and above all that stations have accepted: a bucket that was wiped
 * counts from 1 again, and a station refuses what is older than what it has seen.
 */
export function nextWordRev({ stations }: FleetView, present: { rev: number } | undefined): number {
  const seen = [...stations.values()].map(({ reported }) => reported?.words_rev ?? 0).filter(isUsable);
  return Math.max(present?.rev ?? 0, ...seen) + 1;
}

/** The bar on a version, by `name@version`; `undefined` where there is none, or it was lifted. */
export function barOn({ bars }: FleetView, ref: string): BarState | undefined {
  const bar = bars.get(ref);
  return bar?.lifted === true ? undefined : bar;
}
