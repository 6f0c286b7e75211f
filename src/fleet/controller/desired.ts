import { partsOf } from '../state/refs.js';
import type { DesiredState, RolloutMark, RolloutState } from '../state.js';
import { isOf } from './calls.js';
import { targetOf, untouchedOf } from './standing.js';
import { barOn, isUsable, type FleetView, type StationView } from './view.js';

interface Draft {
  products: Record<string, string>;
  packages: DesiredState['packages'];
  by: Record<string, RolloutMark>;
}

/**
 * The next desired state of a station; `undefined` when the present one is right.
 *
 * What is barred is taken back to what was desired before it. What a rollout has announced in `moving` is moved; where the rollout has
 * ended before that, the station is marked as kept. That mark is a write too: a write of the same state that a controller which sleeps
 * has under way fails then.
 */
export function nextDesired(view: FleetView, station: StationView): DesiredState | undefined {
  const { desired, reported } = station;
  const draft: Draft = {
    products: { ...desired?.products },
    packages: { ...desired?.packages },
    by: { ...desired?.made?.by },
  };
  const isBarred = takeBack(draft, view);
  const announced = view.rollouts
    .filter(({ moving }) => moving.includes(station.station))
    .sort((a, b) => a.number - b.number);
  const ended = announced.filter((rollout) => moveOrKeep(draft, rollout, view, station));
  // A bucket that was made anew, or lost a write: the station refuses a revision below that of its record.
  const isBehind =
    desired !== undefined && reported !== undefined && isUsable(reported.rev) && reported.rev > desired.rev;
  if (!isBarred && ended.length === 0 && !isBehind) return undefined;
  const packages = neededOf(draft, station, view);
  const last = ended.at(-1)?.rollout ?? desired?.rollout;
  return {
    ...desired,
    rev: Math.max(desired?.rev ?? 0, reported && isUsable(reported.rev) ? reported.rev : 0) + 1,
    ...{ plant: view.plant, station: station.station },
    ...{ packages, products: withPackages(draft.products, packages) },
    ...(last !== undefined && { rollout: last }),
    made: { term: view.term, by: draft.by },
  };
}

/** Takes product ids back from barred versions. @returns whether there were any */
function takeBack(draft: Draft, view: FleetView): boolean {
  const barred = Object.entries(draft.products).filter(([, ref]) => barOn(view, ref));
  for (const [id, ref] of barred) {
    const mark = draft.by[id];
    const { before } = mark ?? {};
    // Without a way back that is known the station takes its own: to the newest earlier version that has no bar.
    if (before !== undefined && before !== ref && !barOn(view, before) && draft.packages[before]) {
      draft.products[id] = before;
    } else {
      draft.products = Object.fromEntries(Object.entries(draft.products).filter(([other]) => other !== id));
    }
    if (mark) draft.by[id] = { ...mark, how: 'back' };
  }
  return barred.length > 0;
}

/** Moves the product ids that a rollout concerns and has not come to. @returns whether there were any */
function moveOrKeep(draft: Draft, rollout: RolloutState, view: FleetView, station: StationView): boolean {
  const target = targetOf(rollout);
  const { order, number } = rollout;
  const ids = untouchedOf(rollout, station).filter((id) => (draft.by[id]?.number ?? 0) < number);
  const isOn = (rollout.state === 'running' || rollout.state === 'done') && !barOn(view, target);
  for (const id of ids) {
    const was = draft.products[id] ?? station.reported?.serving[id];
    const mark = { rollout: rollout.rollout, number };
    if (!isOn) {
      draft.by[id] = { ...draft.by[id], ...mark, how: 'kept' };
      continue;
    }
    const before = was === target ? draft.by[id]?.before : was;
    const figures = was === target ? draft.by[id]?.calls : station.reported?.calls?.[id];
    draft.by[id] = {
      ...{ ...mark, how: 'moved' },
      ...(before !== undefined && { before }),
      ...(figures && before !== undefined && isOf(figures, before) && { calls: figures }),
    };
    draft.products[id] = target;
    draft.packages[target] = { digest: order.digest, ...(order.sources && { sources: order.sources }) };
    const digest = before === undefined ? undefined : station.reported?.deployed[before];
    if (before !== undefined && digest !== undefined) draft.packages[before] ??= { digest };
  }
  return ids.length > 0;
}

/** The packages that product ids are to be served by, and those that are the way back. */
function neededOf(
  { products, packages, by }: Draft,
  { reported }: StationView,
  view: FleetView,
): DesiredState['packages'] {
  const before = Object.values(by).flatMap((mark) => (mark.before === undefined ? [] : [mark.before]));
  const refs = [...new Set([...Object.values(products), ...before])]
    .filter((ref) => !barOn(view, ref))
    .sort();
  const needed: DesiredState['packages'] = {};
  for (const ref of refs) {
    const digest = reported?.deployed[ref];
    const known = packages[ref] ?? (isDigest(digest) ? { digest } : undefined);
    if (known && isDigest(known.digest) && partsOf(ref)) needed[ref] = known;
  }
  return needed;
}

/** A product id whose version has no known digest is not named: the station leaves it as it is. */
function withPackages(
  products: Record<string, string>,
  packages: DesiredState['packages'],
): Record<string, string> {
  return Object.fromEntries(Object.entries(products).filter(([, ref]) => Object.hasOwn(packages, ref)));
}

/** What a station reports is untrusted, and is signed here. */
function isDigest(digest: string | undefined): digest is string {
  return digest !== undefined && /^[0-9a-f]{64}$/.test(digest);
}
