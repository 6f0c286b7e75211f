import type { RolloutState } from '../state.js';
import { driftGate, errorGate, latencyGate, totalsOf, type GateCheck } from './calls.js';
import { standingOf, type Standing } from './standing.js';
import { stationIn, type FleetView } from './view.js';

/** Of the reason of a station, as much as a bar and a rollout repeat. */
const MOST_REASON_CHARS = 400;

/** How long a wave has taken, and how long its share of accepted stations has stood. */
export interface WaveTimes {
  waveMs: number;
  soakedMs: number;
}

/** Where a wave stands, with each gate and its reason. */
export interface WaveReport {
  state: 'open' | 'waiting' | 'failed';
  checks: GateCheck[];
  /** How many stations of the wave stand where. */
  counts: Record<Standing, number>;
  /** Whether the share of accepted stations stands: the soak time runs. */
  isStanding: boolean;
}

/** Looks at the wave of a rollout that is under way. */
export function waveReport(rollout: RolloutState, view: FleetView, times: WaveTimes): WaveReport {
  const gates = rollout.order.waves[rollout.wave]?.gates;
  const counts = countsOf(rollout, rollout.stations[rollout.wave] ?? [], view);
  if (!gates) return { state: 'open', checks: [], counts, isStanding: true };
  const { accepted, failed, moving, queued, pending } = counts;
  const reachable = accepted + failed + moving + queued;
  const needed = Math.ceil(gates.accepted_share * reachable - 1e-9);
  const mayFail = Math.floor(gates.failed_share * reachable + 1e-9);
  const isStanding = accepted >= needed && (reachable > 0 || pending === 0);
  const totals = totalsOf(rollout, view);
  const checks: GateCheck[] = [
    {
      gate: 'accepted',
      state: isStanding ? 'open' : 'waiting',
      reason:
        reachable === 0
          ? `no station of the wave can be reached, ${pending} are pending`
          : `${accepted} of ${reachable} stations that can be reached have accepted, ${needed} are needed`,
    },
    {
      gate: 'failed',
      state: failed > mayFail ? 'failed' : 'open',
      reason:
        `${failed} of ${reachable} stations that can be reached have failed, ${mayFail} may` +
        firstFailureOf(rollout, view),
    },
    ...errorGate(gates, totals),
    ...driftGate(gates, totals),
    ...latencyGate(gates, totals),
  ];
  if (gates.soak_ms > 0) {
    checks.push({
      gate: 'soak',
      state: isStanding && times.soakedMs >= gates.soak_ms ? 'open' : 'waiting',
      reason: `it has stood for ${seconds(times.soakedMs)} of ${seconds(gates.soak_ms)}`,
    });
  }
  const isDecided = checks.every(({ state }) => state === 'open');
  if (gates.deadline_ms !== undefined && !isDecided) {
    checks.push({
      gate: 'deadline',
      state: times.waveMs > gates.deadline_ms ? 'failed' : 'open',
      reason: `the wave has taken ${seconds(times.waveMs)} of ${seconds(gates.deadline_ms)}`,
    });
  }
  const isLast = rollout.wave >= rollout.stations.length - 1;
  if (gates.approval && !isLast) {
    const isApproved = rollout.approved >= rollout.wave;
    checks.push({
      gate: 'approval',
      state: isApproved ? 'open' : 'waiting',
      reason: isApproved ? 'approved' : 'an operator must approve: fleet approve',
    });
  }
  return { state: stateOf(checks), checks, counts, isStanding };
}

/** Reasons of the gates that failed, in one line. */
export function failureOf({ checks }: WaveReport): string {
  const failed = checks.filter(({ state }) => state === 'failed');
  return failed.map(({ gate, reason }) => `${gate}: ${reason}`).join('; ');
}

/** The first station of the wave that failed, with its reason: after the way back no report has it any more. */
function firstFailureOf(rollout: RolloutState, view: FleetView): string {
  for (const name of rollout.stations[rollout.wave] ?? []) {
    const { station, standing, reason = 'no reason given' } = standingOf(rollout, stationIn(view, name));
    if (standing === 'failed') return `. ${station}: ${reason.slice(0, MOST_REASON_CHARS)}`;
  }
  return '';
}

export function countsOf(
  rollout: RolloutState,
  stations: readonly string[],
  view: FleetView,
): Record<Standing, number> {
  const counts: Record<Standing, number> = {
    ...{ unconcerned: 0, pending: 0, queued: 0, moving: 0 },
    ...{ accepted: 0, failed: 0, kept: 0, back: 0 },
  };
  for (const station of stations) counts[standingOf(rollout, stationIn(view, station)).standing]++;
  return counts;
}

function stateOf(checks: readonly GateCheck[]): WaveReport['state'] {
  if (checks.some(({ state }) => state === 'failed')) return 'failed';
  return checks.every(({ state }) => state === 'open') ? 'open' : 'waiting';
}

function seconds(ms: number): string {
  return `${Math.floor(ms / 1_000)} s`;
}
