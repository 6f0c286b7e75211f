import type { BarState, DesiredState, GroupState, RolloutState } from '../state.js';
import { admit } from './admission.js';
import { nextDesired } from './desired.js';
import { failureOf, waveReport, type WaveReport, type WaveTimes } from './gates.js';
import { standingOf, targetOf, untouchedOf } from './standing.js';
import { barOn, nextWordRev, stationIn, type FleetView } from './view.js';

/** Something that is to be written. Each is written only if its key is still as the view has it. */
export type Step =
  | { kind: 'bar'; state: BarState }
  | { kind: 'rollout'; state: RolloutState }
  | { kind: 'desired'; state: DesiredState };

/** Stations that are announced in one write: so many at most may still be told after a stop. */
export const MOST_AT_ONCE = 50;
/** The times of a wave are written down at least so often: a follower goes on from them. */
const WRITE_TIMES_MS = 30_000;

/**
 * What a controller writes next; nothing when all is as it is to be. It depends on the view alone, so that a controller which follows
 * another decides the same.
 *
 * A rollout writes down first which stations it moves (`moving`), by compare-and-set on its own key: after a stop by an operator that
 * write fails, and no further station is moved.
 */
export function decide(view: FleetView, times: (rollout: RolloutState) => WaveTimes): Step[] {
  const desired = [...view.stations.values()]
    .filter(({ trouble }) => trouble === undefined)
    .map((station) => nextDesired(view, station))
    .concat(unheardOf(view).map((station) => nextDesired(view, stationIn(view, station))))
    .flatMap((state): Step[] => (state ? [{ kind: 'desired', state }] : []));
  // What was announced is written before anything new is decided.
  if (desired.length > 0) return desired;
  const fresh = view.rollouts.filter(({ state }) => state === 'new').sort(byId);
  if (fresh[0]) return [admission(fresh[0], view)];
  const turn: Turn = { queued: new Set(), rooms: roomsOf(view) };
  return view.rollouts
    .filter(({ number }) => number > 0)
    .sort((a, b) => b.number - a.number)
    .flatMap((rollout) => ofRollout(rollout, view, times(rollout), turn));
}

/** What the rollouts of one look share. */
interface Turn {
  /** Stations that a later rollout waits to tell: an earlier one leaves them to it. */
  queued: Set<string>;
  rooms: { group: GroupState; left: number }[];
}

/** Stations that were announced, and that nothing is known of. */
function unheardOf({ rollouts, stations }: FleetView): string[] {
  const names = rollouts.flatMap(({ moving }) => moving).filter((station) => !stations.has(station));
  return [...new Set(names)];
}

/** Takes on a rollout, one at a time: of two that overlap, the second is refused. */
function admission(rollout: RolloutState, view: FleetView): Step {
  const admitted = admit(rollout, view);
  // Of a rollout that the server has lost, the marks on stations are left.
  const marks = [...view.stations.values()].flatMap(({ desired }) => Object.values(desired?.made?.by ?? {}));
  const number = Math.max(0, ...[...view.rollouts, ...marks].map((other) => other.number)) + 1;
  if ('refused' in admitted) return write(rollout, view, { state: 'refused', reason: admitted.refused });
  return write(rollout, view, { state: 'running', number, stations: admitted.stations, wave: 0 });
}

function ofRollout(rollout: RolloutState, view: FleetView, times: WaveTimes, turn: Turn): Step[] {
  const isOn = rollout.state === 'running' || rollout.state === 'done';
  const bar = barOn(view, targetOf(rollout));
  if (bar && (isOn || rollout.state === 'halted'))
    return [write(rollout, view, { state: 'back', reason: `${targetOf(rollout)} is barred: ${bar.reason}` })];
  if (!isOn) return rollout.moving.length > 0 ? [write(rollout, view, { moving: [] })] : [];
  if (rollout.state === 'running') {
    const report = waveReport(rollout, view, times);
    if (report.state === 'failed') return failed(rollout, view, report);
    if (report.state === 'open') {
      const isLast = rollout.wave >= rollout.stations.length - 1;
      const next = isLast ? { state: 'done' as const } : { wave: rollout.wave + 1 };
      return [write(rollout, view, { ...next, wave_ms: 0, soaked_ms: 0 })];
    }
  }
  const moving = batchOf(rollout, view, turn);
  if (moving.length > 0) return [write(rollout, view, { moving, ...timesOf(times) })];
  const isLate = rollout.state === 'running' && times.waveMs - rollout.wave_ms >= WRITE_TIMES_MS;
  return isLate ? [write(rollout, view, timesOf(times))] : [];
}

function failed(rollout: RolloutState, view: FleetView, report: WaveReport): Step[] {
  const reason = failureOf(report);
  if (rollout.order.on_failure === 'halt') return [write(rollout, view, { state: 'halted', reason })];
  const { name, version } = rollout.order;
  // The bar is written first: a controller that dies after it is followed by another, which finds the rollout barred.
  const state: BarState = {
    ...{ rev: nextWordRev(view, view.bars.get(targetOf(rollout))), plant: view.plant, name, version },
    ...{ reason: `the rollout ${rollout.rollout} failed: ${reason}`, by: 'controller', at: view.at },
  };
  return [{ kind: 'bar', state }];
}

/** The next stations: of the waves that have begun, in their order, as many as their groups allow. */
function batchOf(rollout: RolloutState, view: FleetView, { queued, rooms }: Turn): string[] {
  const waves = rollout.state === 'done' ? rollout.stations : rollout.stations.slice(0, rollout.wave + 1);
  const mine = waves
    .flat()
    .filter((station) => !queued.has(station))
    .filter((station) => standingOf(rollout, stationIn(view, station)).standing === 'queued');
  const batch: string[] = [];
  for (const station of mine) {
    queued.add(station);
    const its = rooms.filter(({ group }) => group.stations.includes(station));
    if (batch.length >= MOST_AT_ONCE || its.some(({ left }) => left <= 0)) continue;
    for (const room of its) room.left--;
    batch.push(station);
  }
  return batch;
}

/** How many further stations of each group may be on the way. */
function roomsOf(view: FleetView): { group: GroupState; left: number }[] {
  const limited = [...view.groups.values()].filter(({ max_unavailable: most }) => most !== undefined);
  if (limited.length === 0) return [];
  const moving = new Set<string>();
  for (const rollout of view.rollouts) {
    for (const station of rollout.number > 0 ? rollout.stations.flat() : []) {
      if (standingOf(rollout, stationIn(view, station)).standing === 'moving') moving.add(station);
    }
    for (const station of rollout.moving) {
      if (untouchedOf(rollout, stationIn(view, station)).length > 0) moving.add(station);
    }
  }
  return limited.map((group) => ({
    group,
    left: mostUnavailable(group) - group.stations.filter((station) => moving.has(station)).length,
  }));
}

/** A share is rounded down, and is one station at least: a group moves, however small. */
export function mostUnavailable({ max_unavailable: most, stations }: GroupState): number {
  if (most === undefined) return Infinity;
  if (typeof most === 'number') return most;
  return Math.max(1, Math.floor((stations.length * parseInt(most, 10)) / 100));
}

function timesOf({ waveMs, soakedMs }: WaveTimes): Pick<RolloutState, 'wave_ms' | 'soaked_ms'> {
  return { wave_ms: Math.floor(waveMs), soaked_ms: Math.floor(soakedMs) };
}

function write(rollout: RolloutState, { term }: FleetView, changes: Partial<RolloutState>): Step {
  return { kind: 'rollout', state: { ...rollout, ...changes, rev: rollout.rev + 1, term } };
}

function byId(a: RolloutState, b: RolloutState): number {
  return a.rollout < b.rollout ? -1 : 1;
}
