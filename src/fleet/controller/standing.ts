import { partsOf, refOf } from '../state/refs.js';
import type { RolloutState } from '../state.js';
import { isRetryable } from '../../errors.js';
import type { StationView } from './view.js';

/**
 * Where a station stands with a rollout.
 * - `unconcerned`: it serves none of the product ids, or a later rollout has moved them
 * - `pending`: it cannot be reached, and joins when it returns
 * - `queued`: it can be reached, and was not told yet
 * - `moving`: it was told, and is on its way
 * - `accepted`: it serves the version for good
 * - `failed`: it could not, or took it back
 * - `kept`: the rollout had ended when its turn came
 * - `back`: it was taken back
 */
export type Standing =
  'unconcerned' | 'pending' | 'queued' | 'moving' | 'accepted' | 'failed' | 'kept' | 'back';

/** Where a station stands, and why where there is something to say. */
export interface StandingReport {
  station: string;
  standing: Standing;
  reason?: string;
}

/** `name@version` of what a rollout brings. */
export function targetOf({ order }: RolloutState): string {
  return refOf(order.name, order.version);
}

/** The product ids of a station that a rollout concerns, sorted. */
export function productsOf(rollout: RolloutState, { desired, reported }: StationView): string[] {
  const { order } = rollout;
  if (order.products) return [...new Set(order.products)].sort();
  const serving = { ...reported?.serving, ...desired?.products };
  const ofPackage = Object.keys(serving).filter((id) => partsOf(serving[id] ?? '')?.name === order.name);
  const marked = Object.entries(desired?.made?.by ?? {}).filter(
    ([, mark]) => mark.rollout === rollout.rollout,
  );
  return [...new Set([...ofPackage, ...marked.map(([id]) => id)])].sort();
}

/** The product ids that the rollout has not come to yet, and that no later one has moved. */
export function untouchedOf(rollout: RolloutState, station: StationView): string[] {
  const by = station.desired?.made?.by ?? {};
  return productsOf(rollout, station).filter((id) => (by[id]?.number ?? 0) < rollout.number);
}

export function standingOf(rollout: RolloutState, view: StationView): StandingReport {
  const { station, desired, reported, isReachable, trouble } = view;
  if (trouble !== undefined) return { station, standing: 'pending', reason: trouble };
  const by = desired?.made?.by ?? {};
  // After a lost write two rollouts may have one number: the mark says by its id which of them it is of.
  const isOf = (id: string) => by[id]?.rollout === rollout.rollout;
  const concerned = productsOf(rollout, view).filter(
    (id) => isOf(id) || (by[id]?.number ?? 0) < rollout.number,
  );
  if (concerned.length === 0) {
    if (desired || reported) return { station, standing: 'unconcerned' };
    return { station, standing: 'pending', reason: 'it has never reported' };
  }
  const marks = concerned.filter(isOf).map((id) => by[id]);
  for (const how of ['back', 'kept'] as const) {
    if (marks.some((mark) => mark?.how === how)) return { station, standing: how };
  }
  if (!isReachable) return { station, standing: 'pending', reason: 'it cannot be reached' };
  if (marks.length < concerned.length) return { station, standing: 'queued' };
  return { station, ...progressOf(targetOf(rollout), concerned, view) };
}

/** How far a station is that was told all. */
function progressOf(
  target: string,
  productIds: readonly string[],
  { desired, reported }: StationView,
): Omit<StandingReport, 'station'> {
  if (!reported) return { standing: 'moving' };
  const quarantined = reported.quarantined[target];
  if (quarantined !== undefined) return { standing: 'failed', reason: quarantined };
  const serves = (id: string) => reported.serving[id] === target && !reported.on_trial.includes(id);
  if (productIds.every(serves)) return { standing: 'accepted' };
  const { state, code, reason = code ?? state } = reported;
  if (reported.rev < (desired?.rev ?? 0)) return { standing: 'moving' };
  if (state === 'refused') return { standing: 'failed', reason };
  if (state === 'failed') {
    // A line that is down, or a busy store, passes by itself: the deadline of the wave bounds it.
    return { standing: code !== undefined && isRetryable(code) ? 'moving' : 'failed', reason };
  }
  return { standing: 'moving', ...(reported.reason !== undefined && { reason: reported.reason }) };
}
