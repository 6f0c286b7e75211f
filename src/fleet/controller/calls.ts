import { resolveSequentialTest, sequentialDecision } from '../../supervisor/switching/sequential-test.js';
import { partsOf } from '../state/refs.js';
import type { CallFigures, RolloutGates, RolloutState } from '../state.js';
import { standingOf, targetOf } from './standing.js';
import { stationIn, type FleetView } from './view.js';

/** Where a gate stands. */
export interface GateCheck {
  gate: 'accepted' | 'failed' | 'errors' | 'drift' | 'latency' | 'soak' | 'deadline' | 'approval';
  state: 'open' | 'waiting' | 'failed';
  /** What was seen, in words. */
  reason: string;
}

/** Calls of one product id over stations. */
interface Total {
  calls: number;
  ng: number;
  judged: number;
  errors: number;
  /** Sum of medians, each as often as its calls. */
  weighedMs: number;
}

/** Calls of a product id: of the version before, and of the new one, of the stations that have both or the new one. */
export interface CallTotals {
  productId: string;
  before: Total;
  after: Total;
}

const NONE: Total = { calls: 0, ng: 0, judged: 0, errors: 0, weighedMs: 0 };

/** Calls of the stations that a rollout has moved, by product id. */
export function totalsOf(rollout: RolloutState, view: FleetView): CallTotals[] {
  const target = targetOf(rollout);
  const totals = new Map<string, CallTotals>();
  for (const name of rollout.stations.slice(0, rollout.wave + 1).flat()) {
    const station = stationIn(view, name);
    if (!['moving', 'accepted', 'failed', 'pending'].includes(standingOf(rollout, station).standing))
      continue;
    for (const [productId, mark] of Object.entries(station.desired?.made?.by ?? {})) {
      const figures = station.reported?.calls?.[productId];
      if (mark.rollout !== rollout.rollout || mark.how !== 'moved') continue;
      const { before, after } = totals.get(productId) ?? { before: NONE, after: NONE };
      totals.set(productId, {
        productId,
        before: sum(before, mark.calls),
        after: sum(after, figures && isOf(figures, target) ? figures : undefined),
      });
    }
  }
  return [...totals.values()].sort((a, b) => (a.productId < b.productId ? -1 : 1));
}

/** Whether figures are of a version: they name it alone, or with its package. */
export function isOf({ version }: CallFigures, ref: string): boolean {
  return version === ref || version === partsOf(ref)?.version;
}

/** The share of failed calls: the sequential test of a trial, over all calls that were reported so far. */
export function errorGate(gates: RolloutGates, totals: readonly CallTotals[]): GateCheck[] {
  const { errors } = gates;
  if (!errors) return [];
  const options = resolveSequentialTest(
    {
      acceptableRate: errors.acceptable_rate,
      rejectableRate: errors.rejectable_rate,
      ...{ alpha: errors.alpha, beta: errors.beta },
    },
    'gates.errors',
  );
  return totals.map(({ productId, after }) => {
    const decision = sequentialDecision({ trials: after.calls, failures: after.errors }, options);
    const seen = `${after.errors} of ${after.calls} calls of ${productId} failed`;
    return check('errors', decision, seen);
  });
}

/**
 * The share of NG of those calls that were judged, beside that of the version before on the same stations. Two sequential tests, each
 * between the share before and a share off by `max_drift`: upwards for NG, downwards for OK. A version that finds nothing any more
 * is as wrong as a version that finds too much.
 */
export function driftGate(gates: RolloutGates, totals: readonly CallTotals[]): GateCheck[] {
  const { max_drift: most, min_calls: least } = gates;
  if (most === undefined) return [];
  return totals.map(({ productId, before, after }): GateCheck => {
    if (before.judged < least) return notCompared('drift', productId, before.judged, least);
    const was = before.ng / before.judged;
    const up = driftDecision(was, most, after.ng, after.judged);
    const down = driftDecision(1 - was, most, after.judged - after.ng, after.judged);
    const seen = `${after.ng} of ${after.judged} verdicts of ${productId} are NG, ${percent(was)} before`;
    if (up === 'rejected' || down === 'rejected') return check('drift', 'rejected', seen);
    const isDecided = up === 'accepted' && down === 'accepted';
    return check('drift', isDecided ? 'accepted' : 'undecided', seen);
  });
}

/** Whether a share has grown by `most`; a share that cannot grow so far has not. */
function driftDecision(was: number, most: number, count: number, trials: number) {
  if (was + most > 1) return 'accepted' as const;
  // The test needs shares apart from 0 and 1.
  const acceptableRate = Math.max(was, 1e-6);
  const rejectableRate = Math.max(was + most, 2e-6);
  return sequentialDecision(
    { trials, failures: count },
    { acceptableRate, rejectableRate, alpha: 0.05, beta: 0.05 },
  );
}

/** The median latency beside that of the version before on the same stations. */
export function latencyGate(gates: RolloutGates, totals: readonly CallTotals[]): GateCheck[] {
  const { max_latency_ratio: most, min_calls: least } = gates;
  if (most === undefined) return [];
  return totals.map(({ productId, before, after }): GateCheck => {
    if (before.calls < least || before.weighedMs === 0)
      return notCompared('latency', productId, before.calls, least);
    const [wasMs, isMs] = [before.weighedMs / before.calls, after.weighedMs / Math.max(after.calls, 1)];
    if (after.calls < least)
      return {
        ...{ gate: 'latency', state: 'waiting' },
        reason: `${after.calls} of ${least} calls of ${productId} are there to compare`,
      };
    const seen = `${productId} takes ${isMs.toFixed(1)} ms, ${wasMs.toFixed(1)} ms before`;
    return check('latency', isMs > most * wasMs ? 'rejected' : 'accepted', seen);
  });
}

function notCompared(gate: 'drift' | 'latency', productId: string, calls: number, least: number): GateCheck {
  const reason = `${productId} is not compared: the version before had ${calls} calls, and ${least} are needed`;
  return { gate, state: 'open', reason };
}

function check(
  gate: GateCheck['gate'],
  decision: 'undecided' | 'accepted' | 'rejected',
  reason: string,
): GateCheck {
  const states = { undecided: 'waiting', accepted: 'open', rejected: 'failed' } as const;
  return { gate, state: states[decision], reason };
}

function sum(total: Total, figures: CallFigures | undefined): Total {
  if (!figures) return total;
  const { calls, ok, ng, errors, latency_p50_ms: medianMs } = figures;
  return {
    calls: total.calls + calls,
    ng: total.ng + ng,
    judged: total.judged + ok + ng,
    errors: total.errors + errors,
    weighedMs: total.weighedMs + medianMs * calls,
  };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
