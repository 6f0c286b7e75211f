import { partsOf } from '../state/refs.js';
import type { BarState, DesiredState, ReportedState } from '../state.js';
import { isUsable, nextWordRev, type FleetView } from './view.js';

/** What makes a bucket anew: desired states and bars from what stations report. */
export interface Rebuilt {
  desired: DesiredState[];
  bars: BarState[];
  /** Stations whose desired state is there, or who report nothing to make one of, with the reason. */
  left: { station: string; reason: string }[];
}

/**
 * Makes of each report what the station is to go on with: what it serves, at the digests that it has. Nothing moves by it. What any
 * station has quarantined is barred again: a station forgets no bar, so that a wiped bucket does not let one go.
 *
 * Rollouts and groups are not in reports: a rollout is ordered again, a group is written again.
 */
export function rebuilt(view: FleetView, by: string): Rebuilt {
  const desired: DesiredState[] = [];
  const left: Rebuilt['left'] = [];
  const reports: ReportedState[] = [];
  for (const { station, desired: present, reported, trouble } of view.stations.values()) {
    if (trouble !== undefined) left.push({ station, reason: trouble });
    else if (!reported) left.push({ station, reason: 'it has reported nothing' });
    else {
      reports.push(reported);
      if (!isUsable(reported.rev))
        left.push({
          station,
          reason: `it reports the revision ${reported.rev}, which leaves no room for another`,
        });
      else if (present) left.push({ station, reason: 'its desired state is there' });
      else desired.push(desiredOf(reported, view));
    }
  }
  const barred = new Map(reports.flatMap(({ quarantined }) => Object.entries(quarantined)));
  const bars = [...barred].flatMap(([ref, reason]) => {
    const parts = partsOf(ref);
    // A bar that is there holds, lifted or not: an operator has decided since.
    if (!parts || view.bars.has(ref)) return [];
    return [{ rev: nextWordRev(view, undefined), plant: view.plant, ...parts, reason, by, at: view.at }];
  });
  return { desired, bars, left };
}

function desiredOf({ station, rev, serving, deployed }: ReportedState, view: FleetView): DesiredState {
  const known = Object.entries(serving).filter(
    ([, ref]) => partsOf(ref) && /^[0-9a-f]{64}$/.test(deployed[ref] ?? ''),
  );
  const packages = Object.fromEntries(known.map(([, ref]) => [ref, { digest: deployed[ref] ?? '' }]));
  return {
    ...{ rev: rev + 1, plant: view.plant, station },
    ...{ packages, products: Object.fromEntries(known) },
    made: { term: view.term, by: {} },
  };
}
