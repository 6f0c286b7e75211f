import { expect, test } from 'vitest';
import { waveReport, failureOf } from '../../../src/fleet/controller/gates.js';
import type { GateOptions } from '../../../src/fleet/controller/order.js';
import type { StationView } from '../../../src/fleet/controller/view.js';
import type { CallFigures, RolloutState } from '../../../src/fleet/state.js';
import { acceptedStation, rolloutOf, stationOf, viewOf } from '../../support/rollout-state.js';

const NOW = { waveMs: 0, soakedMs: 0 };

function report(
  stations: StationView[],
  gates: GateOptions = {},
  times = NOW,
  rest: Partial<RolloutState> = {},
) {
  const waves = [stations.map(({ station }) => station), ['last']];
  return waveReport(rolloutOf(waves, { gates, ...rest }), viewOf(stations), times);
}

/** Reasons by gate and state. */
function gate(name: string, ...args: Parameters<typeof report>) {
  return report(...args)
    .checks.filter((check) => check.gate === name)
    .map(({ state, reason }) => `${state}: ${reason}`);
}

function figures(o: Partial<CallFigures> & { version: string }): CallFigures {
  const { ng = 0, errors = 0, calls = 1_000 } = o;
  return { calls, ng, errors, ok: calls - ng - errors, latency_p50_ms: 10, latency_p99_ms: 20, ...o };
}

/** A station with calls of the version before and of the new one. */
function withCalls(station: string, before: Partial<CallFigures>, after: Partial<CallFigures>): StationView {
  const mark = { calls: figures({ version: 'check@1.0.0', ...before }) };
  const calls = { A: figures({ version: '2.0.0', ...after }) };
  return stationOf(station, { mark, reported: { rev: 2, serving: { A: 'check@2.0.0' }, calls } });
}

const failedStation = (station: string) =>
  stationOf(station, { mark: {}, reported: { rev: 2, state: 'failed', code: 'install_failed' } });
const away = (station: string) => stationOf(station, { isReachable: false });
const many = (count: number, make: (name: string) => StationView, from = 0) =>
  Array.from({ length: count }, (_, index) => make(`s${from + index}`));

test('a wave is open when all stations that can be reached have accepted; those that cannot do not count', () => {
  const open = report([acceptedStation('a'), acceptedStation('b'), away('c')]);
  expect([open.state, open.counts.accepted, open.counts.pending, open.isStanding]).toEqual([
    'open',
    2,
    1,
    true,
  ]);
  expect(report([acceptedStation('a'), stationOf('b')]).state).toBe('waiting');
  expect(report([acceptedStation('a'), stationOf('b', { mark: {} })]).counts.moving).toBe(1);
});

test('a wave whose stations are all away waits, and one that concerns no station passes', () => {
  expect(report([away('a')])).toMatchObject({ state: 'waiting', isStanding: false });
  expect(gate('accepted', [away('a')])).toEqual([
    'waiting: no station of the wave can be reached, 1 are pending',
  ]);
  const other = stationOf('a', { reported: { serving: { A: 'other@1' } } });
  expect(report([other])).toMatchObject({ state: 'open', counts: { unconcerned: 1 } });
});

test('9 of 10 pass a share of 0.9, with 1 failure; 2 failures fail it', () => {
  const some = (failures: number) => [
    ...many(10 - failures, acceptedStation),
    ...many(failures, failedStation, 90),
  ];
  expect(report(some(1), { acceptedShare: 0.9 }).state).toBe('open');
  const failed = report(some(2), { acceptedShare: 0.9 });
  expect([failed.state, failureOf(failed)]).toEqual([
    'failed',
    'failed: 2 of 10 stations that can be reached have failed, 1 may. s90: install_failed',
  ]);
  expect(report(some(1)).state).toBe('failed');
  expect(report([...many(8, acceptedStation), ...many(2, stationOf, 90)], { acceptedShare: 0.9 }).state).toBe(
    'waiting',
  );
});

test('a failure that passes by itself, such as a line that is down, is on its way', () => {
  const at = (state: 'failed' | 'refused', code?: string) =>
    report([stationOf('a', { mark: {}, reported: { rev: 2, state, ...(code && { code }) } })]).counts;
  expect(at('failed', 'unreachable')).toMatchObject({ moving: 1, failed: 0 });
  expect(at('failed', 'source_missing')).toMatchObject({ failed: 1 });
  expect(at('failed')).toMatchObject({ failed: 1 });
  expect(at('refused', 'unreachable')).toMatchObject({ failed: 1 });
});

test('a report of an earlier revision says nothing yet, and a version on trial is not accepted', () => {
  const early = stationOf('a', { mark: {}, reported: { rev: 1, state: 'failed', code: 'install_failed' } });
  expect(report([early]).counts).toMatchObject({ moving: 1, failed: 0 });
  expect(report([acceptedStation('a', { on_trial: ['A'] })]).counts).toMatchObject({ moving: 1 });
  expect(report([acceptedStation('a', { on_trial: ['B'] })]).counts).toMatchObject({ accepted: 1 });
  const quarantined = acceptedStation('a', { quarantined: { 'check@2.0.0': 'bad' } });
  expect(report([quarantined]).counts).toMatchObject({ failed: 1 });
});

test('the soak time holds a wave until it has stood for so long', () => {
  const stations = [acceptedStation('a')];
  expect(report(stations, { soakMs: 10_000 }, { waveMs: 0, soakedMs: 9_999 }).state).toBe('waiting');
  expect(report(stations, { soakMs: 10_000 }, { waveMs: 0, soakedMs: 10_000 }).state).toBe('open');
  expect(gate('soak', stations, { soakMs: 10_000 }, { waveMs: 0, soakedMs: 5_000 })).toEqual([
    'waiting: it has stood for 5 s of 10 s',
  ]);
  expect(report([stationOf('a', { mark: {} })], { soakMs: 1 }, { waveMs: 0, soakedMs: 2 }).state).toBe(
    'waiting',
  );
});

test('a deadline fails a wave that has not passed by then, and not one that waits for approval alone', () => {
  const late = { waveMs: 60_001, soakedMs: 0 };
  expect(report([stationOf('a', { mark: {} })], { deadlineMs: 60_000 }, late).state).toBe('failed');
  expect(
    report([stationOf('a', { mark: {} })], { deadlineMs: 60_000 }, { ...late, waveMs: 60_000 }).state,
  ).toBe('waiting');
  expect(report([acceptedStation('a')], { deadlineMs: 60_000, approval: true }, late).state).toBe('waiting');
});

test('approval holds a wave until it is given, and the last wave asks for none', () => {
  const stations = [acceptedStation('a')];
  expect(gate('approval', stations, { approval: true })).toEqual([
    'waiting: an operator must approve: fleet approve',
  ]);
  expect(report(stations, { approval: true }, NOW, { approved: 0 }).state).toBe('open');
  const last = { wave: 1, stations: [['x'], ['a']] };
  expect(gate('approval', stations, { approval: true }, NOW, last)).toEqual([]);
});

test('failed calls are tested over all stations: few are open, many fail, and a handful says nothing', () => {
  const errors = { acceptableRate: 0.01, rejectableRate: 0.1 };
  const at = (calls: number, failed: number) =>
    gate(
      'errors',
      [withCalls('a', {}, { calls, errors: failed }), withCalls('b', {}, { calls, errors: failed })],
      { errors },
    );
  expect(at(500, 2)).toEqual(['open: 4 of 1000 calls of A failed']);
  expect(at(500, 80)).toEqual(['failed: 160 of 1000 calls of A failed']);
  expect(at(2, 0)).toEqual(['waiting: 0 of 4 calls of A failed']);
});

test('a share of NG that moves up or down fails, and one that stays is open', () => {
  const at = (before: number, after: number, calls = 1_000) =>
    gate('drift', [withCalls('a', { ng: before }, { ng: after, calls })], { maxDrift: 0.05 });
  expect(at(100, 100)).toEqual(['open: 100 of 1000 verdicts of A are NG, 10.0 % before']);
  expect(at(100, 170)).toEqual(['failed: 170 of 1000 verdicts of A are NG, 10.0 % before']);
  expect(at(100, 30)).toEqual(['failed: 30 of 1000 verdicts of A are NG, 10.0 % before']);
  expect(at(100, 1, 10)).toEqual(['waiting: 1 of 10 verdicts of A are NG, 10.0 % before']);
  expect(at(0, 0)).toEqual(['open: 0 of 1000 verdicts of A are NG, 0.0 % before']);
  expect(at(0, 80)).toEqual(['failed: 80 of 1000 verdicts of A are NG, 0.0 % before']);
  expect(at(50, 0)).toEqual(['failed: 0 of 1000 verdicts of A are NG, 5.0 % before']);
});

test('a version before with too few calls is not compared, and says so', () => {
  const stations = [withCalls('a', { calls: 99, ng: 0 }, { ng: 500 })];
  expect(gate('drift', stations, { maxDrift: 0.05 })).toEqual([
    'open: A is not compared: the version before had 99 calls, and 100 are needed',
  ]);
  expect(gate('drift', [withCalls('a', { calls: 100 }, { ng: 500 })], { maxDrift: 0.05 })[0]).toContain(
    'failed',
  );
});

test('a latency past its ratio fails; fewer calls than needed wait', () => {
  const at = (ms: number, calls = 1_000) =>
    gate('latency', [withCalls('a', { latency_p50_ms: 10 }, { latency_p50_ms: ms, calls })], {
      maxLatencyRatio: 2,
    });
  expect(at(20)).toEqual(['open: A takes 20.0 ms, 10.0 ms before']);
  expect(at(21)).toEqual(['failed: A takes 21.0 ms, 10.0 ms before']);
  expect(at(21, 99)).toEqual(['waiting: 99 of 100 calls of A are there to compare']);
});

test('calls of another version are not counted, and figures that name the package count', () => {
  const errors = {};
  const at = (version: string) => gate('errors', [withCalls('a', {}, { version, calls: 10 })], { errors });
  expect(at('1.0.0')).toEqual(['waiting: 0 of 0 calls of A failed']);
  expect(at('check@2.0.0')).toEqual(['waiting: 0 of 10 calls of A failed']);
});
