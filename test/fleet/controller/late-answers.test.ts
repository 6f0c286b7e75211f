import { expect, onTestFinished, test } from 'vitest';
import { RunnerError } from '../../../src/errors.js';
import { FleetController } from '../../../src/fleet/controller/controller.js';
import { FleetOperator } from '../../../src/fleet/controller/operator.js';
import type { FleetStatus } from '../../../src/fleet/controller/status.js';
import { keyOf } from '../../../src/fleet/keys.js';
import type { DesiredState, RolloutState, SignedState } from '../../../src/fleet/state.js';
import { BucketInMemory, FLEET_KEYS, type Fault } from '../../support/fleet-bucket.js';
import { digestOf, livePlant, ScriptedStation } from '../../support/scripted-station.js';

const REQUEST = { id: 'r', name: 'check', version: '2.0.0', digest: digestOf('check@2.0.0') };

/** Stations `s1` and so on, and what acts on them. */
function plantOf(count: number) {
  const bucket = new BucketInMemory();
  const stations = Array.from(
    { length: count },
    (_, index) => new ScriptedStation(bucket.connect(), `s${index + 1}`),
  );
  onTestFinished(livePlant(bucket, stations));
  const common = { plant: 'p', privateKey: FLEET_KEYS.privateKey };
  const control = (holder: string, fault?: Fault) => {
    const connection = bucket.connect(holder, fault);
    const controller = new FleetController({ connection, ...common, holder, clock: bucket.clock });
    onTestFinished(() => controller.close());
    return controller.start();
  };
  const stateOf = (key: string): unknown => {
    const stored = bucket.read(key);
    return stored && (JSON.parse((stored.value as SignedState).body) as unknown);
  };
  return {
    ...{ bucket, stations, control },
    operator: new FleetOperator({ connection: bucket.connect('operator'), ...common }),
    rollout: () => stateOf(keyOf('rollout', 'r')) as RolloutState | undefined,
    desired: (station: string) => stateOf(keyOf('desired', station)) as DesiredState | undefined,
    /** What an operator asks for, while virtual time passes. */
    asked: async <T>(promise: Promise<T>): Promise<T> => {
      let isOver = false;
      const settled = promise.finally(() => (isOver = true));
      settled.catch(() => undefined);
      await bucket.until(() => isOver);
      return settled;
    },
  };
}

test('a stop whose word comes while the controller asks for a bar is not written over: no station is moved', async () => {
  const { bucket, stations, control, operator, rollout, desired, asked } = plantOf(2);
  let stop: (() => Promise<unknown>) | undefined;
  control('c1', async ({ op, key, when }) => {
    if (op !== 'get' || when !== 'after' || !key.startsWith('bar.') || !stop) return;
    const stopNow = stop;
    stop = undefined;
    await stopNow();
  });
  await bucket.pass(2_000);
  stop = async () => {
    await operator.halt('r');
    await bucket.pass(100);
  };
  await asked(operator.rollout({ ...REQUEST, waves: [{ stations: ['s1', 's2'] }] }));
  await bucket.until(() => stop === undefined);
  await bucket.pass(20_000, 100);
  expect(rollout()).toMatchObject({ state: 'halted' });
  expect([desired('s1'), desired('s2')]).toEqual([undefined, undefined]);
  expect(stations.map(({ report }) => report.serving.A)).toEqual(['check@1.0.0', 'check@1.0.0']);
});

test('a list of reports that was made before a newer report, and comes after its word, does not count over it', async () => {
  const { bucket, stations, control } = plantOf(1);
  const [station] = stations;
  let late: (() => Promise<void>) | undefined;
  const controller = control('c1', async ({ op, key, when }) => {
    if (op === 'list' && key === 'reported.' && when === 'after') await late?.();
  });
  await bucket.pass(3_000);
  if (station) station.isOnline = false;
  await bucket.pass(1_000);
  const seen: (string | undefined)[] = [];
  late = async () => {
    late = undefined;
    if (station) station.isOnline = true;
    if (station) station.report.quarantined = { 'check@2.0.0': 'its trial failed' };
    await station?.look();
    if (station) station.isOnline = false;
    await bucket.pass(100);
  };
  const reason = () => controller.view().stations.get('s1')?.reported?.quarantined['check@2.0.0'];
  await bucket.until(() => late === undefined);
  for (let turn = 0; turn < 20; turn++) {
    await bucket.pass(100);
    seen.push(reason());
  }
  expect(new Set(seen.slice(1))).toEqual(new Set(['its trial failed']));
});

test('which stations cannot be reached is written again after a server lost it, and by a controller that acts again', async () => {
  const { bucket, stations, control, operator, asked } = plantOf(2);
  const [away] = stations;
  let isCut = false;
  const first = control('c1', () => {
    if (isCut) throw new RunnerError('unreachable', 'cut');
  });
  await bucket.pass(2_000);
  const lose = bucket.snapshot();
  if (away) away.isOnline = false;
  await bucket.pass(200_000, 500);
  const unreachable = async () => {
    const { stations: all } = await asked(operator.status());
    return all.filter(({ isReachable }) => !isReachable).map(({ station }) => station);
  };
  expect(await unreachable()).toEqual(['s1']);
  lose();
  await bucket.pass(40_000, 500);
  expect(first.isActive).toBe(true);
  expect(await unreachable()).toEqual(['s1']);

  isCut = true;
  const second = control('c2');
  await bucket.pass(4_000);
  expect(second.isActive).toBe(true);
  if (away) away.isOnline = true;
  await bucket.pass(190_000, 500);
  expect(await unreachable()).toEqual([]);
  if (away) away.isOnline = false;
  isCut = false;
  await second.close();
  await bucket.pass(200_000, 500);
  expect(first.isActive).toBe(true);
  expect(await unreachable()).toEqual(['s1']);
});

test('a stop and a group that are asked for while another call of the same operator reads the bucket go by all that it has', async () => {
  const { bucket, stations, asked } = plantOf(2);
  const [first] = stations;
  if (first) first.report.words_rev = 7;
  let beside: (() => void) | undefined;
  const operator: FleetOperator = new FleetOperator({
    connection: bucket.connect('desk', ({ op, when }) => {
      if (op !== 'get' || when !== 'after') return;
      beside?.();
    }),
    ...{ plant: 'p', privateKey: FLEET_KEYS.privateKey },
  });
  await bucket.pass(2_000);
  await asked(operator.rollout({ ...REQUEST, waves: [{ stations: ['s1'] }] }));
  const looks: Promise<FleetStatus>[] = [];
  beside = () => {
    beside = undefined;
    looks.push(operator.status());
  };
  expect(await asked(operator.halt('r'))).toMatchObject([{ state: 'halted' }]);
  beside = () => {
    beside = undefined;
    looks.push(operator.status());
  };
  expect(await asked(operator.setGroup({ group: 'g', stations: ['s1'] }))).toMatchObject({ rev: 8 });
  const shown = await asked(Promise.all(looks));
  expect(shown.map(({ stations: all }) => all.length)).toEqual([2, 2]);
});
