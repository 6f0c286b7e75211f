import type { RolloutState } from '../state.js';
import { admit } from './admission.js';
import { productsOf, standingOf, targetOf, type Standing } from './standing.js';
import { stationIn, type FleetView } from './view.js';

/** What a rollout would do. */
export interface RolloutPlan {
  id: string;
  name: string;
  version: string;
  /** Why it would be refused; none when it would be taken on. */
  refused?: string;
  waves: PlannedWave[];
  /** Bytes that would come from sources, over all stations, where they are known. */
  bytes?: number;
}

/** What a wave of a rollout would move. */
export interface PlannedWave {
  group?: string;
  stations: PlannedStation[];
}

/** What would become of a station. */
export interface PlannedStation {
  station: string;
  /** `queued` would be told at once, `pending` when it can be reached again, `unconcerned` never. */
  standing: Standing;
  /** Product id to `name@version` that it serves now; `undefined` where nothing does. */
  from: Record<string, string | undefined>;
  to: string;
  /** Bytes that it would fetch, where they are known: nothing when it has the package. */
  bytes?: number;
}

/** Bytes that a station would fetch for a package that it does not have; `undefined` where that is not known. */
export type NeededBytes = (
  wanted: { digest: string },
  deployed: Readonly<Record<string, string>>,
) => number | undefined;

/** What would move where, and how many bytes at most: the size of the zip where `needed` does not know better. */
export function planOf(rollout: RolloutState, view: FleetView, needed?: NeededBytes): RolloutPlan {
  const { order } = rollout;
  const admitted = admit(rollout, view);
  const target = targetOf(rollout);
  const stations = 'refused' in admitted ? [] : admitted.stations;
  // As if it had been taken on: no station has its mark yet.
  const number = Math.max(0, ...view.rollouts.map((other) => other.number)) + 1;
  const waves = stations.map((names, index): PlannedWave => {
    const group = order.waves[index]?.group;
    return {
      ...(group !== undefined && { group }),
      stations: names.map((name) => {
        const known = stationIn(view, name);
        const { standing } = standingOf({ ...rollout, number }, known);
        const serving = { ...known.desired?.products, ...known.reported?.serving };
        const ids = productsOf(rollout, known);
        const bytes = bytesOf(order, standing, known.reported?.deployed ?? {}, needed);
        return {
          ...{ station: name, standing, to: target },
          from: Object.fromEntries(ids.map((id) => [id, serving[id]])),
          ...(bytes !== undefined && { bytes }),
        };
      }),
    };
  });
  const all = waves.flatMap((wave) => wave.stations.map(({ bytes }) => bytes));
  const isKnown = all.every((bytes) => bytes !== undefined);
  return {
    ...{ id: rollout.rollout, name: order.name, version: order.version },
    ...('refused' in admitted && { refused: admitted.refused }),
    waves,
    ...(isKnown && { bytes: all.reduce((sum, bytes) => sum + bytes, 0) }),
  };
}

function bytesOf(
  { digest, size_bytes: sizeBytes }: RolloutState['order'],
  standing: Standing,
  deployed: Readonly<Record<string, string>>,
  needed: NeededBytes | undefined,
): number | undefined {
  if (standing === 'unconcerned' || Object.values(deployed).includes(digest)) return 0;
  return needed?.({ digest }, deployed) ?? sizeBytes;
}
