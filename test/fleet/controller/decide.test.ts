import { expect, test } from 'vitest';
import { admit } from '../../../src/fleet/controller/admission.js';
import { decide, mostUnavailable, MOST_AT_ONCE, type Step } from '../../../src/fleet/controller/decide.js';
import { nextDesired } from '../../../src/fleet/controller/desired.js';
import { WaveClock } from '../../../src/fleet/controller/times.js';
import type { FleetView, StationView } from '../../../src/fleet/controller/view.js';
import type { BarState, GroupState, RolloutState, RolloutWave } from '../../../src/fleet/state.js';
import { digestOf } from '../../support/scripted-station.js';
import { acceptedStation, rolloutOf, stationOf, viewOf } from '../../support/rollout-state.js';

const bar = (ref: string, rest: Partial<BarState> = {}): [string, BarState] => {
  const [name = '', version = ''] = ref.split('@');
  return [ref, { ...{ rev: 1, plant: 'p', name, version, reason: 'bad', by: 'me', at: '' }, ...rest }];
};
const group = (name: string, stations: string[], rest: Partial<GroupState> = {}): [string, GroupState] => [
  name,
  { rev: 1, plant: 'p', group: name, stations, ...rest },
];

function steps(stations: StationView[], rollouts: RolloutState[], rest: Partial<FleetView> = {}): Step[] {
  return decide(viewOf(stations, { rollouts, ...rest }), ({ wave_ms: waveMs, soaked_ms: soakedMs }) => ({
    waveMs,
    soakedMs,
  }));
}

/** The rollouts that are written, without what they were ordered to do. */
function written(...args: Parameters<typeof steps>) {
  return steps(...args).map((step) => {
    if (step.kind !== 'rollout') return step.kind;
    const { rollout, state, wave, moving, reason } = step.state;
    return { rollout, state, wave, moving, ...(reason !== undefined && { reason }) };
  });
}

const NEW: Pick<RolloutState, 'state' | 'number' | 'stations'> = { state: 'new', number: 0, stations: [] };
const ORDER = rolloutOf([['a']]).order;
const [{ gates: GATES }] = ORDER.waves as [RolloutWave];

test('a new rollout is taken on with its stations and the next number; two that overlap one after the other', () => {
  const old = rolloutOf([['z']], { rollout: 'r0', number: 7, state: 'done' });
  const two = ['r2', 'r1'].map((rollout) => rolloutOf([['a'], ['b']], { ...NEW, rollout }));
  const [step] = steps([stationOf('a')], [...two, old], { term: 4 });
  expect(step).toMatchObject({
    kind: 'rollout',
    state: { rollout: 'r1', state: 'running', number: 8, rev: 4, term: 4, stations: [['a'], ['b']] },
  });
  const running = rolloutOf([['a'], ['b']], { rollout: 'r1', number: 8 });
  expect(written([stationOf('a')], [rolloutOf([['a']], { ...NEW, rollout: 'r2' }), running])).toMatchObject([
    {
      rollout: 'r2',
      state: 'refused',
      reason: expect.stringContaining('r1 is under way and moves A on a too') as string,
    },
  ]);
});

test('stations that are queued are announced first, and told when that is written', () => {
  const [a, b] = [stationOf('a'), stationOf('b', { isReachable: false })];
  expect(written([a, b], [rolloutOf([['a', 'b'], ['c']])])).toMatchObject([{ moving: ['a'] }]);
  const announced = rolloutOf([['a', 'b'], ['c']], { moving: ['a'] });
  const [step] = steps([a, b], [announced]);
  expect(step).toMatchObject({
    kind: 'desired',
    state: {
      ...{ rev: 2, station: 'a', products: { A: 'check@2.0.0' }, rollout: 'r1' },
      packages: {
        'check@1.0.0': { digest: digestOf('check@1.0.0') },
        'check@2.0.0': { digest: digestOf('check@2.0.0') },
      },
      made: { term: 1, by: { A: { rollout: 'r1', number: 1, how: 'moved', before: 'check@1.0.0' } } },
    },
  });
  expect(steps([acceptedStation('a'), b], [announced]).map(({ kind }) => kind)).toEqual(['rollout']);
});

test('a wave that has passed begins the next, and the last one ends the rollout', () => {
  const a = acceptedStation('a');
  expect(written([a, stationOf('b')], [rolloutOf([['a'], ['b']])])).toMatchObject([
    { wave: 1, state: 'running' },
  ]);
  expect(written([a], [rolloutOf([['a']])])).toMatchObject([{ state: 'done' }]);
});

test('a station that returns joins: of a wave that has passed, and of a rollout that is done, not of one that was halted', () => {
  const late = stationOf('late');
  expect(
    written([late, stationOf('b', { mark: {} })], [rolloutOf([['late'], ['b']], { wave: 1 })]),
  ).toMatchObject([{ moving: ['late'] }]);
  expect(written([late], [rolloutOf([['late']], { state: 'done' })])).toMatchObject([{ moving: ['late'] }]);
  for (const state of ['halted', 'back', 'refused'] as const)
    expect(written([late], [rolloutOf([['late']], { state })])).toEqual([]);
});

test('a station that two rollouts wait for is told by the later one alone', () => {
  const [r1, r2] = [
    rolloutOf([['a']], { state: 'done' }),
    rolloutOf([['a']], { rollout: 'r2', number: 2, state: 'done' }),
  ];
  expect(written([stationOf('a')], [r1, r2])).toMatchObject([{ rollout: 'r2', moving: ['a'] }]);
  const moved = stationOf('a', { mark: { rollout: 'r2', number: 2 } });
  expect(written([moved], [r1, r2])).toEqual([]);
});

test('no more stations of a group are on the way than it allows, over all rollouts', () => {
  const groups = new Map([group('g', ['a', 'b', 'c', 'd'], { max_unavailable: 2 })]);
  const all = ['a', 'b', 'c', 'd'];
  const fresh = all.map((name) => stationOf(name));
  expect(written(fresh, [rolloutOf([all])], { groups })).toMatchObject([{ moving: ['a', 'b'] }]);
  const one = [stationOf('a', { mark: {} }), ...fresh.slice(1)];
  expect(written(one, [rolloutOf([all])], { groups })).toMatchObject([{ moving: ['b'] }]);
  const two = [
    rolloutOf([['a', 'b']], { state: 'done' }),
    rolloutOf([['c', 'd']], { rollout: 'r2', number: 2, state: 'done' }),
  ];
  expect(written(fresh, two, { groups })).toMatchObject([{ rollout: 'r2', moving: ['c', 'd'] }]);
  const { max_unavailable: _, ...free } = group('g', all)[1];
  expect(mostUnavailable(free)).toBe(Infinity);
  expect(
    [10, 5, 25].map((count) =>
      mostUnavailable({ ...free, stations: Array<string>(count).fill('x'), max_unavailable: '20%' }),
    ),
  ).toEqual([2, 1, 5]);
  expect(mostUnavailable({ ...free, stations: ['x'], max_unavailable: '20%' })).toBe(1);
});

test('a stop comes between two writes of at most so many stations', () => {
  const names = Array.from({ length: MOST_AT_ONCE + 5 }, (_, index) => `s${index}`);
  const [step] = written(
    names.map((name) => stationOf(name)),
    [rolloutOf([names])],
  );
  expect(step).toMatchObject({ moving: names.slice(0, MOST_AT_ONCE) });
});

test('a wave that fails bars the version first, or halts where that was ordered', () => {
  const failed = stationOf('a', { mark: {}, reported: { rev: 2, state: 'failed', code: 'install_failed' } });
  const stations = [failed, stationOf('b')];
  const lifted = new Map([bar('check@2.0.0', { rev: 4, lifted: true })]);
  const [step] = steps(stations, [rolloutOf([['a', 'b'], ['c']])], { bars: lifted });
  expect(step).toMatchObject({
    kind: 'bar',
    state: { name: 'check', version: '2.0.0', rev: 5, by: 'controller' },
  });
  const order = { ...rolloutOf([['a', 'b'], ['c']]).order, on_failure: 'halt' as const };
  expect(written(stations, [rolloutOf([['a', 'b'], ['c']], { order })])).toMatchObject([
    { state: 'halted', moving: [], reason: expect.stringContaining('have failed') as string },
  ]);
});

test('a bar ends each rollout of the version, and one that was lifted ends none', () => {
  const bars = new Map([bar('check@2.0.0')]);
  for (const state of ['running', 'done', 'halted'] as const)
    expect(written([stationOf('b')], [rolloutOf([['b']], { state })], { bars })).toMatchObject([
      { state: 'back' },
    ]);
  const lifted = new Map([bar('check@2.0.0', { lifted: true })]);
  expect(written([stationOf('b')], [rolloutOf([['b']])], { bars: lifted })).toMatchObject([
    { moving: ['b'] },
  ]);
});

test('what is barred is taken back to what was there before, or left to the station', () => {
  const bars = new Map([bar('check@2.0.0')]);
  const back = nextDesired(viewOf([], { bars, term: 3 }), acceptedStation('a'));
  expect(back).toMatchObject({
    ...{ rev: 3, products: { A: 'check@1.0.0' } },
    made: { term: 3, by: { A: { how: 'back', before: 'check@1.0.0' } } },
  });
  expect(back?.packages).toEqual({ 'check@1.0.0': { digest: digestOf('check@1.0.0') } });
  const both = new Map([bar('check@2.0.0'), bar('check@1.0.0')]);
  expect(nextDesired(viewOf([], { bars: both }), acceptedStation('a'))).toMatchObject({
    products: {},
    packages: {},
  });
  const without = acceptedStation('a');
  delete without.desired?.made;
  expect(nextDesired(viewOf([], { bars }), without)?.products).toEqual({});
});

test('a station whose turn came when the rollout had ended is marked as kept, which is a write', () => {
  for (const state of ['halted', 'back'] as const) {
    const rollout = rolloutOf([['a']], { state, moving: ['a'] });
    const [step] = steps([stationOf('a')], [rollout]);
    expect(step).toMatchObject({
      kind: 'desired',
      state: { products: {}, made: { by: { A: { rollout: 'r1', number: 1, how: 'kept' } } } },
    });
    if (step?.kind !== 'desired') throw new Error('no desired state');
    expect(written([{ ...stationOf('a'), desired: step.state }], [rollout])).toMatchObject([{ moving: [] }]);
  }
});

test('a revision that the station has seen is passed, and one at the end of numbers is not', () => {
  const behind = acceptedStation('a', { rev: 9 });
  expect(nextDesired(viewOf([]), behind)).toMatchObject({ rev: 10, products: { A: 'check@2.0.0' } });
  expect(nextDesired(viewOf([]), acceptedStation('a', { rev: 2 ** 51 }))).toBeUndefined();
});

test('a station that was moved to what it serves keeps its way back', () => {
  const again = rolloutOf([['a']], { rollout: 'r2', number: 2, moving: ['a'] });
  const next = nextDesired(viewOf([], { rollouts: [again] }), acceptedStation('a'));
  expect(next?.made?.by.A).toEqual({ rollout: 'r2', number: 2, how: 'moved', before: 'check@1.0.0' });
});

test('figures of the version before are kept as what the gates compare with', () => {
  const calls = { version: '1.0.0', calls: 5, ok: 5, ng: 0, errors: 0, latency_p50_ms: 1, latency_p99_ms: 2 };
  const rollout = rolloutOf([['a']], { moving: ['a'] });
  const at = (version: string) =>
    nextDesired(
      viewOf([], { rollouts: [rollout] }),
      stationOf('a', { reported: { calls: { A: { ...calls, version } } } }),
    )?.made?.by.A?.calls;
  expect(at('1.0.0')).toMatchObject({ calls: 5 });
  expect(at('0.9.0')).toBeUndefined();
});

test('a digest that a station reports and that is none is not signed', () => {
  const odd = stationOf('a', { reported: { deployed: { 'check@1.0.0': 'x' } } });
  const next = nextDesired(viewOf([], { rollouts: [rolloutOf([['a']], { moving: ['a'] })] }), odd);
  expect(Object.keys(next?.packages ?? {})).toEqual(['check@2.0.0']);
});

test('a station in trouble is told nothing, and one that was never heard of is told when it was announced', () => {
  const trouble = stationOf('a', { trouble: 'it is for the plant q, not for p' });
  expect(written([trouble], [rolloutOf([['a']])])).toEqual([]);
  const order = { ...rolloutOf([['x']]).order, products: ['A'] };
  expect(written([], [rolloutOf([['x']], { order, moving: ['x'] })])).toEqual(['desired']);
});

test.each<[what: string, rollout: Partial<RolloutState>, view: Partial<FleetView>, code: string]>([
  ['a group that is not there', {}, {}, 'not_found'],
  ['a group without stations', {}, { groups: new Map([group('g', [])]) }, 'invalid_params'],
  ['a barred version', {}, { bars: new Map([bar('check@2.0.0')]) }, 'version_barred'],
])('%s refuses a rollout', (_what, rest, view, code) => {
  const order = { ...ORDER, waves: [{ group: 'g', gates: GATES }] };
  expect(admit(rolloutOf([], { order, ...NEW, ...rest }), viewOf([], view))).toMatchObject({ code });
});

test('shares of a group are rounded up, the next wave takes the rest, and one without any is refused', () => {
  const groups = new Map([group('g', ['a', 'b', 'c', 'd', 'e'])]);
  const of = (...shares: (number | undefined)[]) => {
    const waves = shares.map((share) => ({
      group: 'g',
      gates: GATES,
      ...(share !== undefined && { share }),
    }));
    return admit(
      rolloutOf([], { ...NEW, order: { ...rolloutOf([['a']]).order, waves } }),
      viewOf([], { groups }),
    );
  };
  expect(of(0.3, undefined)).toEqual({
    stations: [
      ['a', 'b'],
      ['c', 'd', 'e'],
    ],
  });
  expect(of(0.2, 0.2, 1)).toEqual({ stations: [['a'], ['b'], ['c', 'd', 'e']] });
  expect(of(1, 1)).toMatchObject({ refused: 'wave 2 has no station: earlier waves have all of them' });
});

test('rollouts of other product ids, or of other stations, run beside one that is under way', () => {
  const running = rolloutOf([['a']], { rollout: 'r0' });
  const beside = (
    rollout: Partial<RolloutState>,
    stations = [stationOf('a', { reported: { serving: { A: 'check@1.0.0', B: 'other@1.0.0' } } })],
  ) => admit(rolloutOf([['a']], { ...NEW, ...rollout }), viewOf(stations, { rollouts: [running] }));
  const order = rolloutOf([['a']]).order;
  expect(beside({ order: { ...order, name: 'other' } })).toEqual({ stations: [['a']] });
  expect(beside({ order: { ...order, products: ['B'] } })).toEqual({ stations: [['a']] });
  expect(beside({ order: { ...order, products: ['A'] } })).toMatchObject({ code: 'conflict' });
  expect(beside({ order: rolloutOf([['b']]).order })).toEqual({ stations: [['b']] });
  expect(beside({}, [])).toMatchObject({ code: 'conflict' });
  expect(
    admit(rolloutOf([['a']], NEW), viewOf([stationOf('a')], { rollouts: [{ ...running, state: 'halted' }] })),
  ).toEqual({ stations: [['a']] });
});

test('the soak time begins anew when the share is lost, and a follower goes on from what was written down', () => {
  const clock = new WaveClock();
  const rollout = rolloutOf([['a']], { wave_ms: 100, soaked_ms: 50 });
  expect(clock.timesOf(rollout)).toEqual({ waveMs: 100, soakedMs: 50 });
  expect(clock.advance(rollout, 1_000, true)).toMatchObject({ waveMs: 100, soakedMs: 50 });
  expect(clock.advance(rollout, 1_500, true)).toMatchObject({ waveMs: 600, soakedMs: 550 });
  expect(clock.advance(rollout, 1_600, false)).toMatchObject({ waveMs: 700, soakedMs: 0 });
  expect(clock.advance(rollout, 1_700, true)).toMatchObject({ waveMs: 800, soakedMs: 0 });
  expect(clock.advance(rollout, 1_600, true)).toMatchObject({ waveMs: 800, soakedMs: 0 });
  expect(clock.advance({ ...rollout, wave: 1, wave_ms: 0, soaked_ms: 0 }, 1_900, true)).toMatchObject({
    waveMs: 0,
    soakedMs: 0,
  });
  clock.forget();
  expect(clock.timesOf(rollout)).toEqual({ waveMs: 100, soakedMs: 50 });
});

test('times of a wave are written down now and then', () => {
  const stations = [stationOf('a', { mark: {} })];
  const at = (waveMs: number) =>
    decide(viewOf(stations, { rollouts: [rolloutOf([['a']])] }), () => ({ waveMs, soakedMs: 7 }));
  expect(at(29_999)).toEqual([]);
  expect(at(30_000.5)).toMatchObject([{ state: { wave_ms: 30_000, soaked_ms: 7 } }]);
});

test('after a lost write two rollouts may have one number: a station is of the one that its mark names, and the next number is new', () => {
  const marked = stationOf('a', {
    mark: { rollout: 'r2', number: 4 },
    reported: { rev: 2, serving: { A: 'check@2.0.0' } },
  });
  const other = { ...ORDER, version: '3.0.0' };
  const twin = rolloutOf([['a']], { rollout: 'r1', number: 4, state: 'halted', order: other });
  const groups = new Map([group('g', ['a', 'b'], { max_unavailable: 1 })]);
  expect(
    written([marked, stationOf('b')], [twin, rolloutOf([['b']], { rollout: 'r3', number: 5 })], { groups }),
  ).toMatchObject([{ rollout: 'r3', moving: ['b'] }]);
  const [step] = steps([marked], [rolloutOf([['a']], { ...NEW, rollout: 'r4' })]);
  expect(step).toMatchObject({ state: { rollout: 'r4', number: 5 } });
});
