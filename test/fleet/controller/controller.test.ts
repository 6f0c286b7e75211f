import { expect, onTestFinished, test } from 'vitest';
import { FleetController } from '../../../src/fleet/controller/controller.js';
import { FleetOperator } from '../../../src/fleet/controller/operator.js';
import type { DesiredState, RolloutState, SignedState } from '../../../src/fleet/state.js';
import { keyOf } from '../../../src/fleet/keys.js';
import { BucketInMemory, FLEET_KEYS, type Fault } from '../../support/fleet-bucket.js';
import { digestOf, livePlant, ScriptedStation, type Behaviour } from '../../support/scripted-station.js';

const REQUEST = { name: 'check', version: '2.0.0', digest: digestOf('check@2.0.0') };

function plantOf(count: number, o: { behaviour?: (name: string) => Behaviour } = {}) {
  const bucket = new BucketInMemory();
  const stations = Array.from({ length: count }, (_, index) => {
    const name = `s${index + 1}`;
    const behaviour = o.behaviour?.(name);
    return new ScriptedStation(bucket.connect(), name, behaviour && { behaviour });
  });
  onTestFinished(livePlant(bucket, stations));
  const errors: unknown[] = [];
  const control = (holder: string, fault?: Fault) => {
    const controller = new FleetController({
      ...{ connection: bucket.connect(holder, fault), plant: 'p', privateKey: FLEET_KEYS.privateKey },
      ...{ holder, clock: bucket.clock },
    });
    controller.on('error', ({ error }) => errors.push(error));
    onTestFinished(() => controller.close());
    return controller.start();
  };
  const operator = new FleetOperator({
    ...{ connection: bucket.connect('operator'), plant: 'p', privateKey: FLEET_KEYS.privateKey },
  });
  const stateOf = (key: string): unknown => {
    const stored = bucket.read(key);
    return stored && (JSON.parse((stored.value as SignedState).body) as unknown);
  };
  return {
    ...{ bucket, stations, control, operator, errors },
    rollout: (id: string) => stateOf(keyOf('rollout', id)) as RolloutState | undefined,
    desired: (station: string) => stateOf(keyOf('desired', station)) as DesiredState | undefined,
    serving: () => stations.map(({ report }) => report.serving.A),
  };
}

const names = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `s${from + index}`);

/** What an operator asks for, while virtual time passes. */
async function asked<T>({ bucket }: { bucket: BucketInMemory }, promise: Promise<T>): Promise<T> {
  let isOver = false;
  const settled = promise.finally(() => (isOver = true));
  settled.catch(() => undefined);
  await bucket.until(() => isOver);
  return settled;
}

test('a rollout in two waves goes from one to the other, and is done', async () => {
  const plant = plantOf(6);
  plant.control('c1');
  await plant.bucket.pass(2_000);
  await asked(
    plant,
    plant.operator.rollout({ ...REQUEST, waves: [{ stations: names(1, 2) }, { stations: names(3, 6) }] }),
  );
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.wave === 1);
  expect(plant.serving().slice(0, 2)).toEqual(['check@2.0.0', 'check@2.0.0']);
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.state === 'done');
  expect(new Set(plant.serving())).toEqual(new Set(['check@2.0.0']));
  expect(plant.errors).toEqual([]);
});

test('a wave that fails bars the version, takes back what was moved, and touches no further station', async () => {
  const plant = plantOf(6, {
    behaviour: (name) => (ref) => (name === 's2' && ref === 'check@2.0.0' ? 'fail' : 'accept'),
  });
  plant.control('c1');
  await plant.bucket.pass(2_000);
  await asked(
    plant,
    plant.operator.rollout({ ...REQUEST, waves: [{ stations: names(1, 2) }, { stations: names(3, 6) }] }),
  );
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.state === 'back');
  await plant.bucket.pass(10_000);
  expect(plant.rollout('check-2.0.0-1')?.reason).toContain(
    '1 of 2 stations that can be reached have failed, 0 may',
  );
  expect(new Set(plant.serving())).toEqual(new Set(['check@1.0.0']));
  expect(plant.desired('s1')).toMatchObject({
    products: { A: 'check@1.0.0' },
    made: { by: { A: { how: 'back' } } },
  });
  for (const station of names(3, 6)) expect(plant.desired(station)).toBeUndefined();
});

test('of three controllers one acts; when it dies another does within 5 s, and when it closes at once', async () => {
  const plant = plantOf(2);
  let isCut = false;
  const cut: Fault = () => {
    if (isCut) throw new Error('cut');
  };
  const first = plant.control('c1', cut);
  await plant.bucket.pass(200);
  const others = [plant.control('c2'), plant.control('c3')];
  await plant.bucket.pass(10_000);
  expect([first, ...others].map(({ isActive }) => isActive)).toEqual([true, false, false]);
  isCut = true;
  await plant.bucket.until(() => others.some(({ isActive }) => isActive), 5_000);
  expect(first.isActive).toBe(false);
  const heirs = others.filter(({ isActive }) => isActive);
  expect(heirs).toHaveLength(1);
  await heirs[0]?.close();
  await plant.bucket.until(() => others.some((one) => one !== heirs[0] && one.isActive), 200);
});

test('a controller that slept past its lease cannot write over its follower', async () => {
  const plant = plantOf(3);
  const nap: { sleep?: Promise<void> } = {};
  let isAsleep = false;
  const fault: Fault = async ({ op, key, when }) => {
    if (op !== 'put' || when !== 'before' || !key.startsWith('desired.') || !nap.sleep) return;
    isAsleep = true;
    await nap.sleep;
  };
  let wake: () => void = () => undefined;
  plant.control('c1', fault);
  await plant.bucket.pass(2_000);
  plant.control('c2');
  await plant.bucket.pass(2_000);
  nap.sleep = new Promise((resolve) => (wake = resolve));
  const { rollout } = await asked(
    plant,
    plant.operator.rollout({
      ...REQUEST,
      waves: [{ stations: ['s1'] }, { stations: ['s2', 's3'], gates: { approval: true } }],
    }),
  );
  await plant.bucket.until(() => isAsleep);
  await asked(plant, plant.operator.halt(rollout));
  await plant.bucket.pass(10_000); // the follower marks the station as kept
  expect(plant.desired('s1')).toMatchObject({ products: {}, made: { by: { A: { how: 'kept' } } } });
  wake();
  await plant.bucket.pass(10_000);
  expect(plant.desired('s1')).toMatchObject({ products: {}, made: { by: { A: { how: 'kept' } } } });
  expect(plant.serving()).toEqual(Array(3).fill('check@1.0.0'));
  expect(plant.bucket.writes.filter(({ by, key }) => by === 'c1' && key.startsWith('desired.'))).toEqual([]);
});

test('stations that are away are pending, and join when they return, also after the rollout is done', async () => {
  const plant = plantOf(4);
  const [away] = plant.stations;
  plant.control('c1');
  await plant.bucket.pass(2_000);
  if (away) away.isOnline = false;
  await plant.bucket.pass(200_000, 500);
  await asked(
    plant,
    plant.operator.rollout({ ...REQUEST, waves: [{ stations: ['s1', 's2'] }, { stations: ['s3', 's4'] }] }),
  );
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.state === 'done');
  expect(plant.desired('s1')).toBeUndefined();
  const status = await asked(plant, plant.operator.status());
  expect(status.stations.filter(({ isReachable }) => !isReachable).map(({ station }) => station)).toEqual([
    's1',
  ]);
  expect(status.rollouts[0]?.stations[0]).toEqual({
    station: 's1',
    standing: 'pending',
    reason: 'it cannot be reached',
  });
  if (away) away.isOnline = true;
  await plant.bucket.until(() => new Set(plant.serving()).size === 1, 10_000);
  expect(plant.serving()[0]).toBe('check@2.0.0');
});

/** The second wave waits for the word of an operator. */
const APPROVED = {
  ...REQUEST,
  waves: [{ stations: ['s1'] }, { stations: ['s2'] }],
  gates: { approval: true },
};

test('approval between waves: the next wave begins by the word of an operator, and not before', async () => {
  const plant = plantOf(2);
  plant.control('c1');
  await plant.bucket.pass(2_000);
  const request = APPROVED;
  await asked(plant, plant.operator.rollout(request));
  await plant.bucket.pass(30_000, 100);
  expect(plant.serving()).toEqual(['check@2.0.0', 'check@1.0.0']);
  await asked(plant, plant.operator.approve('check-2.0.0-1'));
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.state === 'done');
  await expect(asked(plant, plant.operator.approve('check-2.0.0-1'))).rejects.toThrow(
    'is done: it cannot be approved',
  );
});

test('the way back for all is one word, after a rollout that is done too; a bar that is lifted lets a new one run', async () => {
  const plant = plantOf(3);
  plant.control('c1');
  await plant.bucket.pass(2_000);
  await asked(plant, plant.operator.rollout({ ...REQUEST, waves: [{ stations: names(1, 3) }] }));
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.state === 'done');
  await asked(plant, plant.operator.back({ rollout: 'check-2.0.0-1' }, { reason: 'too many NG' }));
  await plant.bucket.until(
    () => new Set(plant.serving()).size === 1 && plant.serving()[0] === 'check@1.0.0',
    10_000,
  );
  expect(plant.rollout('check-2.0.0-1')).toMatchObject({
    state: 'back',
    reason: 'check@2.0.0 is barred: too many NG',
  });
  const again = { ...REQUEST, waves: [{ stations: names(1, 3) }] };
  await expect(asked(plant, plant.operator.rollout(again))).rejects.toMatchObject({ code: 'version_barred' });
  await asked(plant, plant.operator.lift({ name: 'check', version: '2.0.0' }));
  await asked(plant, plant.operator.rollout(again));
  await plant.bucket.until(() => plant.rollout('check-2.0.0-2')?.state === 'done');
});

test('soak and deadline go by the clock of controllers, with stations whose clocks are a day off', async () => {
  const plant = plantOf(2);
  plant.stations.forEach(
    ({ report }, index) => (report.at = new Date(Date.UTC(2020 + 20 * index, 0)).toISOString()),
  );
  plant.control('c1');
  await plant.bucket.pass(2_000);
  await asked(
    plant,
    plant.operator.rollout({
      ...REQUEST,
      waves: [{ stations: names(1, 2) }],
      gates: { soakMs: 60_000, deadlineMs: 120_000 },
    }),
  );
  const from = plant.bucket.clock.now();
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.state === 'done');
  expect(plant.bucket.clock.now() - from).toBeGreaterThanOrEqual(60_000);
  expect(plant.bucket.clock.now() - from).toBeLessThan(66_000);
});

test('a station of another plant under a name of this one is left alone, with the reason', async () => {
  const plant = plantOf(2);
  const [stranger] = plant.stations;
  if (stranger) stranger.report.plant = 'q';
  plant.control('c1');
  await plant.bucket.pass(2_000);
  await asked(plant, plant.operator.rollout({ ...REQUEST, waves: [{ stations: names(1, 2) }] }));
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.state === 'done');
  expect(plant.serving()).toEqual(['check@1.0.0', 'check@2.0.0']);
  const { stations } = await asked(plant, plant.operator.status());
  expect(stations[0]?.reason).toContain('it is for the plant q, not for p');
});

test('two machines that report under one name are told apart, and neither is moved; a machine that was replaced is', async () => {
  const plant = plantOf(1);
  const [first] = plant.stations;
  const twin = new ScriptedStation(plant.bucket.connect(), 's1');
  twin.report.host = { ...twin.report.host, name: 'another' };
  twin.report.seq = 1_000; // as an agent does that reads what is there, and goes on from it
  if (first) first.isOnline = false;
  await plant.bucket.pass(3_000);
  onTestFinished(livePlant(plant.bucket, [twin], 1_300));
  const controller = plant.control('c1');
  await plant.bucket.pass(10_000);
  expect(controller.view().stations.get('s1')).toMatchObject({ isReachable: true });
  expect(controller.view().stations.get('s1')?.trouble).toBeUndefined();
  if (first) Object.assign(first, { isOnline: true });
  if (first) first.report.seq = 2_000;
  await plant.bucket.pass(10_000);
  expect(controller.view().stations.get('s1')?.trouble).toContain('two stations report as s1');
});

test('overlapping rollouts: the second is refused at the door, and by the controller where both came at once', async () => {
  const plant = plantOf(2);
  plant.control('c1');
  await plant.bucket.pass(2_000);
  const request = APPROVED;
  const second = new FleetOperator({
    connection: plant.bucket.connect('o2'),
    plant: 'p',
    privateKey: FLEET_KEYS.privateKey,
  });
  await asked(
    plant,
    Promise.all([plant.operator.rollout({ ...request, id: 'x' }), second.rollout({ ...request, id: 'y' })]),
  );
  await plant.bucket.pass(2_000);
  expect([plant.rollout('x')?.state, plant.rollout('y')?.state]).toEqual(['running', 'refused']);
  await expect(asked(plant, second.rollout({ ...request, id: 'z' }))).rejects.toMatchObject({
    code: 'conflict',
    retryable: false,
  });
});

test('what the server lost after it was acknowledged is written back: a stop stays a stop', async () => {
  const plant = plantOf(4);
  plant.control('c1');
  await plant.bucket.pass(2_000);
  await asked(
    plant,
    plant.operator.rollout({
      ...REQUEST,
      waves: [{ stations: ['s1'] }, { stations: names(2, 4) }],
      gates: { approval: true },
    }),
  );
  await plant.bucket.until(() => plant.serving()[0] === 'check@2.0.0');
  await asked(plant, plant.operator.approve('check-2.0.0-1'));
  const lose = plant.bucket.snapshot();
  await asked(plant, plant.operator.halt('check-2.0.0-1'));
  await plant.bucket.pass(1_000);
  const before = plant.desired('s1');
  lose();
  await plant.bucket.pass(60_000, 100);
  expect(plant.rollout('check-2.0.0-1')?.state).toBe('halted');
  expect(plant.desired('s1')).toEqual(before);
  expect(new Set(plant.serving().slice(1)).size).toBeGreaterThan(0);
});

test('a wiped bucket is filled again by a controller that lives, and by `rebuild` where none does', async () => {
  const plant = plantOf(3);
  const controller = plant.control('c1');
  await plant.bucket.pass(2_000);
  await asked(plant, plant.operator.rollout({ ...REQUEST, waves: [{ stations: names(1, 3) }] }));
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.state === 'done');
  await plant.bucket.pass(2_000);
  plant.bucket.wipe();
  await plant.bucket.until(() => plant.desired('s3') !== undefined, 60_000);
  expect(plant.rollout('check-2.0.0-1')?.state).toBe('done');
  await controller.close();
  plant.bucket.wipe();
  const [witness] = plant.stations;
  if (witness) witness.report.quarantined = { 'check@0.9.0': 'scratches missed' };
  await plant.bucket.pass(3_000);
  const found = await asked(plant, plant.operator.rebuild({ by: 'me' }));
  expect(found.desired.map(({ station }) => station).sort()).toEqual(names(1, 3));
  expect(plant.desired('s1')).toMatchObject({
    products: { A: 'check@2.0.0' },
    packages: { 'check@2.0.0': { digest: REQUEST.digest } },
  });
  expect(plant.desired('s1')?.rev).toBeGreaterThan((witness?.report.rev ?? 0) - 1);
  expect((await asked(plant, plant.operator.status())).bars).toMatchObject([
    { name: 'check', version: '0.9.0', reason: 'scratches missed', by: 'me' },
  ]);
  const again = await asked(plant, plant.operator.rebuild());
  expect([again.desired, again.bars]).toEqual([[], []]);
});

test('after a wipe, bars and groups go on above what stations have accepted, so that none is refused as older', async () => {
  const plant = plantOf(2);
  const [first, second] = plant.stations;
  plant.bucket.wipe();
  if (first)
    Object.assign(first.report, { words_rev: 7, quarantined: { 'check@0.9.0': 'scratches missed' } });
  if (second) Object.assign(second.report, { words_rev: 2 ** 52 }); // no room would be left above it
  await plant.bucket.pass(3_000);
  const { operator } = plant;
  expect((await asked(plant, operator.rebuild())).bars).toMatchObject([{ version: '0.9.0', rev: 8 }]);
  expect(await asked(plant, operator.setGroup({ group: 'g', stations: ['s1'] }))).toMatchObject({ rev: 8 });
  expect(await asked(plant, operator.back({ name: 'check', version: '0.8.0' }))).toMatchObject({ rev: 8 });
  expect(await asked(plant, operator.lift({ name: 'check', version: '0.8.0' }))).toMatchObject({ rev: 9 });
});

test('a dry run says what would move where and how many bytes, and writes nothing', async () => {
  const plant = plantOf(3);
  const [first] = plant.stations;
  if (first) first.report.deployed['check@2.0.0'] = REQUEST.digest;
  await plant.bucket.pass(1_000);
  const writes = plant.bucket.writes.length;
  const plan = await asked(
    plant,
    plant.operator.plan({
      ...REQUEST,
      sizeBytes: 500,
      waves: [{ stations: ['s1', 's2'] }, { stations: ['s3', 'new'] }],
    }),
  );
  expect(plan.waves[0]?.stations[0]).toEqual({
    station: 's1',
    standing: 'queued',
    from: { A: 'check@1.0.0' },
    to: 'check@2.0.0',
    bytes: 0,
  });
  expect(plan.waves[1]?.stations[1]).toMatchObject({ station: 'new', standing: 'pending' });
  expect(plan.bytes).toBe(1_500);
  expect(plant.bucket.writes.slice(writes).filter(({ by }) => by === 'operator')).toEqual([]);
  expect((await asked(plant, plant.operator.plan({ ...REQUEST, waves: [{ group: 'none' }] }))).refused).toBe(
    'there is no group none',
  );
});

test('a group is set, refused without stations or with a window that never opens, and bounds a rollout', async () => {
  const plant = plantOf(4, { behaviour: () => (ref) => (ref === 'check@2.0.0' ? 'stay' : 'accept') });
  plant.control('c1');
  await plant.bucket.pass(2_000);
  const { operator } = plant;
  await expect(asked(plant, operator.setGroup({ group: 'g', stations: [] }))).rejects.toThrow(
    'at least one station',
  );
  await expect(
    asked(plant, operator.setGroup({ group: 'g', stations: ['s1'], window: { from: '22:00', to: '22:00' } })),
  ).rejects.toThrow('never opens');
  await asked(
    plant,
    operator.setGroup({ group: 'g', stations: ['s1'], window: { from: '22:00', to: '05:00' } }),
  );
  const group = await asked(
    plant,
    operator.setGroup({ group: 'g', stations: names(1, 4), maxUnavailable: '50%' }),
  );
  expect([group.rev, group.stations]).toEqual([2, names(1, 4)]);
  await asked(plant, operator.rollout({ ...REQUEST, waves: [{ group: 'g' }] }));
  await plant.bucket.pass(20_000, 100);
  expect(names(1, 4).filter((station) => plant.desired(station))).toEqual(['s1', 's2']);
});

test('an operator with public keys alone looks, and cannot write', async () => {
  const plant = plantOf(1);
  await plant.bucket.pass(1_000);
  const viewer = new FleetOperator({
    connection: plant.bucket.connect('v'),
    plant: 'p',
    publicKeys: [FLEET_KEYS.publicKey],
  });
  expect((await asked(plant, viewer.status())).stations).toHaveLength(1);
  await expect(asked(plant, viewer.back({ name: 'check', version: '1.0.0' }))).rejects.toThrow(
    'give privateKey',
  );
});

test('a state that another key has signed is not acted on, is shown, and what was there comes back', async () => {
  const plant = plantOf(2);
  plant.control('c1');
  await plant.bucket.pass(2_000);
  await asked(
    plant,
    plant.operator.rollout({
      ...REQUEST,
      waves: [{ stations: ['s1'] }, { stations: ['s2'] }],
      gates: { approval: true },
    }),
  );
  await plant.bucket.until(() => plant.serving()[0] === 'check@2.0.0');
  const key = 'rollout.check-2=2E0=2E0-1';
  const before = plant.bucket.read(key)?.value as SignedState;
  const forged = { ...before, body: before.body.replace('"approved":-1', '"approved":5') };
  await asked(plant, plant.bucket.connect('thief').values.put(key, forged));
  await plant.bucket.pass(40_000, 100);
  expect(plant.serving()).toEqual(['check@2.0.0', 'check@1.0.0']);
  expect(plant.rollout('check-2.0.0-1')?.approved).toBe(-1);
});

test('an operator goes by what the bucket has now, not by what a wiped one had', async () => {
  const plant = plantOf(1);
  await plant.bucket.pass(1_000);
  const request = { ...REQUEST, id: 'r', waves: [{ stations: ['s1'] }] };
  await asked(plant, plant.operator.rollout(request));
  plant.bucket.wipe();
  await plant.bucket.pass(2_000);
  expect((await asked(plant, plant.operator.status())).rollouts).toEqual([]);
  expect(await asked(plant, plant.operator.rollout(request))).toMatchObject({ rollout: 'r', rev: 1 });
});

test('a stop ends a rollout that is done too, where it waits for stations: who returns stays where it is', async () => {
  const plant = plantOf(2);
  const [away] = plant.stations;
  plant.control('c1');
  await plant.bucket.pass(2_000);
  if (away) away.isOnline = false;
  await plant.bucket.pass(200_000, 500);
  await asked(plant, plant.operator.rollout({ ...REQUEST, waves: [{ stations: names(1, 2) }] }));
  await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.state === 'done');
  const halted = await asked(plant, plant.operator.halt(undefined, { by: 'eve', reason: 'it is slow' }));
  expect(halted).toMatchObject([{ rollout: 'check-2.0.0-1', state: 'halted', reason: 'it is slow (eve)' }]);
  if (away) away.isOnline = true;
  await plant.bucket.pass(20_000, 100);
  expect(plant.serving()).toEqual(['check@1.0.0', 'check@2.0.0']);
});

test('an approval is of the wave that was looked at: one that came too late lets no later wave pass', async () => {
  const plant = plantOf(3);
  plant.control('c1');
  await plant.bucket.pass(2_000);
  const waves = names(1, 3).map((station) => ({ stations: [station] }));
  await asked(plant, plant.operator.rollout({ ...REQUEST, waves, gates: { approval: true } }));
  await plant.bucket.pass(10_000, 100);
  let isFirst = true;
  const other = new FleetOperator({
    connection: plant.bucket.connect('other', async ({ op, key, when }) => {
      if (!isFirst || op !== 'put' || when !== 'before' || !key.startsWith('rollout.')) return;
      isFirst = false;
      await asked(plant, plant.operator.approve('check-2.0.0-1'));
      await plant.bucket.until(() => plant.rollout('check-2.0.0-1')?.wave === 1);
    }),
    ...{ plant: 'p', privateKey: FLEET_KEYS.privateKey },
  });
  await expect(asked(plant, other.approve('check-2.0.0-1'))).rejects.toThrow(
    'cannot be approved as of wave 1',
  );
  // A second click on a page that shows the first wave.
  const late = plant.operator.approve('check-2.0.0-1', { wave: 1 });
  await expect(asked(plant, late)).rejects.toThrow('cannot be approved as of wave 1');
  await plant.bucket.pass(10_000, 100);
  expect(plant.rollout('check-2.0.0-1')).toMatchObject({ wave: 1, approved: 0 });
});

test('a rebuild leaves out a station whose report makes no desired state, with the reason, and writes those of the others', async () => {
  const plant = plantOf(4);
  await plant.bucket.pass(2_000);
  const [first, second, third] = plant.stations;
  if (first) first.report.rev = Number.MAX_SAFE_INTEGER;
  if (second) second.report.rev = 2 ** 52;
  const many = Array.from({ length: 5_000 }, (_, index) => [`${index}${'x'.repeat(120)}`, 'check@1.0.0']);
  if (third) Object.assign(third.report, { serving: Object.fromEntries(many) as Record<string, string> });
  await plant.bucket.pass(3_000);
  const { desired, left } = await asked(plant, plant.operator.rebuild());
  expect(desired.map(({ station }) => station)).toEqual(['s4']);
  expect(plant.desired('s4')).toMatchObject({ products: { A: 'check@1.0.0' } });
  expect(left).toEqual([
    { station: 's1', reason: expect.stringContaining('leaves no room for another') as string },
    { station: 's2', reason: expect.stringContaining('leaves no room for another') as string },
    { station: 's3', reason: expect.stringContaining('characters') as string },
  ]);
});
