import type { ReportedState, RolloutState } from '../../src/fleet/state.js';
import { gatesOf, type GateOptions } from '../../src/fleet/controller/order.js';
import type { FleetView, StationView } from '../../src/fleet/controller/view.js';
import { digestOf } from './scripted-station.js';

/** A rollout of check 2.0.0 that is under way, with one wave of stations for each list. */
export function rolloutOf(
  waves: string[][],
  o: { gates?: GateOptions } & Partial<RolloutState> = {},
): RolloutState {
  const { gates = {}, ...rest } = o;
  return {
    ...{ rev: 3, plant: 'p', rollout: 'r1', term: 1, number: 1, state: 'running' },
    order: {
      ...{ name: 'check', version: '2.0.0', digest: digestOf('check@2.0.0'), on_failure: 'back' },
      waves: waves.map((stations) => ({ stations, gates: gatesOf(gates) })),
    },
    ...{ stations: waves, wave: 0, approved: -1, moving: [], wave_ms: 0, soaked_ms: 0 },
    ...{ by: 'test', at: '2026-01-01T00:00:00.000Z' },
    ...rest,
  };
}

/** A station that can be reached and serves A by check 1.0.0, with what differs. */
export function stationOf(
  station: string,
  o: {
    reported?: Partial<ReportedState>;
    mark?: Partial<NonNullable<NonNullable<StationView['desired']>['made']>['by'][string]>;
  } & Partial<Omit<StationView, 'reported'>> = {},
): StationView {
  const { reported, mark, ...rest } = o;
  const by = mark && {
    A: { rollout: 'r1', number: 1, how: 'moved' as const, before: 'check@1.0.0', ...mark },
  };
  return {
    ...{ station, isReachable: true },
    reported: {
      ...{ rev: 1, seq: 1, plant: 'p', station, state: 'converged', on_trial: [], quarantined: {} },
      ...{ serving: { A: 'check@1.0.0' }, deployed: { 'check@1.0.0': digestOf('check@1.0.0') } },
      host: { name: station, platform: 'linux', arch: 'x64', node: 'v20', library: '1' },
      at: '2026-01-01T00:00:00.000Z',
      ...reported,
    },
    ...(by && {
      desired: {
        ...{ rev: 2, plant: 'p', station, products: { A: 'check@2.0.0' } },
        packages: Object.fromEntries(
          ['check@1.0.0', 'check@2.0.0'].map((ref) => [ref, { digest: digestOf(ref) }]),
        ),
        made: { term: 1, by },
      },
    }),
    ...rest,
  };
}

/** A station that has accepted check 2.0.0. */
export function acceptedStation(station: string, reported: Partial<ReportedState> = {}): StationView {
  return stationOf(station, { mark: {}, reported: { rev: 2, serving: { A: 'check@2.0.0' }, ...reported } });
}

export function viewOf(stations: readonly StationView[], rest: Partial<FleetView> = {}): FleetView {
  return {
    ...{ plant: 'p', term: 1, at: '2026-01-01T00:00:00.000Z' },
    stations: new Map(stations.map((station) => [station.station, station])),
    ...{ groups: new Map(), bars: new Map(), rollouts: [] },
    ...rest,
  };
}
