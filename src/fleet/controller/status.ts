import type { BarState, GroupState, RolloutState, StationState } from '../state.js';
import { waveReport, type WaveReport, type WaveTimes } from './gates.js';
import { standingOf, type StandingReport } from './standing.js';
import { stationIn, type FleetView, type StationView } from './view.js';

/** The plant at a glance. */
export interface FleetStatus {
  plant: string;
  /** The controller that acts; none where no lease is held. */
  controller?: { holder: string; term: number };
  stations: StationStatus[];
  groups: GroupState[];
  /** Those that hold. */
  bars: BarState[];
  /** The newest first. */
  rollouts: RolloutStatus[];
  /** Keys of the bucket whose value is not acted on, with the reason. */
  faults: { key: string; reason: string }[];
}

/** A station at a glance. */
export interface StationStatus {
  station: string;
  isReachable: boolean;
  /** As it reports; `unknown` where it never has. */
  state: StationState | 'unknown';
  reason?: string;
  /** Product id to `name@version`. */
  serving: Record<string, string>;
  onTrial: string[];
  quarantined: Record<string, string>;
  /** Product id to `name@version`. */
  desired: Record<string, string>;
  /** Progress of its fetch, 0 to 1. */
  progress?: number;
  /** Time of its last report, ISO 8601, by its own clock. */
  reportedAt?: string;
}

/** A rollout at a glance. */
export interface RolloutStatus {
  id: string;
  name: string;
  version: string;
  state: RolloutState['state'];
  reason?: string;
  /** From 1. */
  wave: number;
  waves: number;
  /** Where the wave stands that is under way, with each gate and its reason. */
  report?: WaveReport;
  stations: StandingReport[];
  by: string;
}

/** How a station stands, by what it reported last. */
export function stationStatus({
  station,
  isReachable,
  desired,
  reported,
  trouble,
}: StationView): StationStatus {
  const reason = trouble ?? reported?.reason;
  return {
    ...{ station, isReachable, state: reported?.state ?? 'unknown' },
    ...(reason !== undefined && { reason }),
    serving: reported?.serving ?? {},
    onTrial: reported?.on_trial ?? [],
    quarantined: reported?.quarantined ?? {},
    desired: desired?.products ?? {},
    ...(reported?.progress !== undefined && { progress: reported.progress }),
    ...(reported && { reportedAt: reported.at }),
  };
}

/** How far a rollout has come, and what its gates say. */
export function rolloutStatus(rollout: RolloutState, view: FleetView, times?: WaveTimes): RolloutStatus {
  const { rollout: id, order, state, reason, wave, by } = rollout;
  const passed = times ?? { waveMs: rollout.wave_ms, soakedMs: rollout.soaked_ms };
  return {
    ...{ id, name: order.name, version: order.version, state },
    ...(reason !== undefined && { reason }),
    ...{ wave: wave + 1, waves: order.waves.length },
    ...(state === 'running' && { report: waveReport(rollout, view, passed) }),
    stations: rollout.stations.flat().map((station) => standingOf(rollout, stationIn(view, station))),
    by,
  };
}

/**
 * How the whole plant stands.
 *
 * @param times - of a wave, where they are known better than they are written down
 */
export function statusOf(
  view: FleetView,
  times?: (rollout: RolloutState) => WaveTimes,
): Omit<FleetStatus, 'faults'> {
  return {
    plant: view.plant,
    stations: [...view.stations.values()].map(stationStatus).sort((a, b) => order(a.station, b.station)),
    groups: [...view.groups.values()].sort((a, b) => order(a.group, b.group)),
    bars: [...view.bars.values()].filter(({ lifted }) => lifted !== true),
    rollouts: [...view.rollouts]
      .sort((a, b) => (b.number || Infinity) - (a.number || Infinity) || order(b.rollout, a.rollout))
      .map((rollout) => rolloutStatus(rollout, view, times?.(rollout))),
  };
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
