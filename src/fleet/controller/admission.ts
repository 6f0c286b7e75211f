import type { RolloutState } from '../state.js';
import { productsOf, targetOf } from './standing.js';
import { barOn, stationIn, type FleetView } from './view.js';

/** What a rollout comes to when it is looked at for the first time. */
export type Admission =
  | { stations: string[][] }
  | { refused: string; code: 'not_found' | 'conflict' | 'version_barred' | 'invalid_params' };

/**
 * Settles the stations of each wave, or says why the rollout is not taken on. A station that several waves name is of the first of
 * them.
 */
export function admit(rollout: RolloutState, view: FleetView): Admission {
  const bar = barOn(view, targetOf(rollout));
  if (bar)
    return {
      refused: `${targetOf(rollout)} is barred: ${bar.reason}. Lift the bar, or bring another version`,
      code: 'version_barred',
    };
  const stations: string[][] = [];
  const taken = new Set<string>();
  for (const [index, wave] of rollout.order.waves.entries()) {
    const group = wave.group === undefined ? undefined : view.groups.get(wave.group);
    if (wave.group !== undefined && !group)
      return { refused: `there is no group ${wave.group}`, code: 'not_found' };
    const all = wave.stations ?? group?.stations ?? [];
    if (all.length === 0)
      return { refused: `the group ${wave.group ?? ''} has no station`, code: 'invalid_params' };
    const left = all.filter((station) => !taken.has(station));
    const members = left.slice(0, Math.ceil((wave.share ?? 1) * all.length - 1e-9));
    if (members.length === 0)
      return {
        refused: `wave ${index + 1} has no station: earlier waves have all of them`,
        code: 'invalid_params',
      };
    for (const station of members) taken.add(station);
    stations.push(members);
  }
  const overlap = overlapOf({ ...rollout, stations }, view);
  return overlap === undefined ? { stations } : { refused: overlap, code: 'conflict' };
}

/** Why a rollout cannot run beside those that are under way; `undefined` when it can. */
export function overlapOf(rollout: RolloutState, view: FleetView): string | undefined {
  const mine = new Set(rollout.stations.flat());
  for (const other of view.rollouts) {
    if (other.state !== 'running' || other.rollout === rollout.rollout) continue;
    for (const station of other.stations.flat()) {
      if (!mine.has(station)) continue;
      const shared = sharedProduct(rollout, other, view, station);
      if (shared !== undefined)
        return `the rollout ${other.rollout} is under way and moves ${shared} on ${station} too. Wait until it is done, or halt it`;
    }
  }
  return undefined;
}

function sharedProduct(
  one: RolloutState,
  other: RolloutState,
  view: FleetView,
  station: string,
): string | undefined {
  const known = stationIn(view, station);
  const others = new Set(productsOf(other, known));
  const id = productsOf(one, known).find((product) => others.has(product));
  // A station that was never heard of may serve any product id of the package.
  return (
    id ??
    (one.order.name === other.order.name && !one.order.products && !other.order.products
      ? one.order.name
      : undefined)
  );
}
