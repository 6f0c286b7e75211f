import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FleetController } from '../../../src/fleet/controller/controller.js';
import { FleetOperator } from '../../../src/fleet/controller/operator.js';
import { RunnerError } from '../../../src/errors.js';
import { keyOf } from '../../../src/fleet/keys.js';
import type { DesiredState, RolloutState, SignedState } from '../../../src/fleet/state.js';
import { BucketInMemory, FLEET_KEYS, type Fault } from '../../support/fleet-bucket.js';
import { digestOf, livePlant, ScriptedStation, type Behaviour } from '../../support/scripted-station.js';

const STATIONS = ['s1', 's2', 's3', 's4', 's5'];
const STEP_MS = 50;

/** One rollout on five stations under controllers with faults, to its end. */
async function play(o: {
  behaviour: Behaviour;
  /** Of each controller, in the order in which they begin. */
  faults: Fault[];
  during?: (bucket: BucketInMemory, look: () => void) => Promise<void>;
}) {
  const bucket = new BucketInMemory();
  const stations = STATIONS.map(
    (name) => new ScriptedStation(bucket.connect(), name, { behaviour: o.behaviour }),
  );
  const endStations = livePlant(bucket, stations, 500);
  const controllers = o.faults.map((fault, index) => {
    const holder = `c${index + 1}`;
    return new FleetController({
      ...{ connection: bucket.connect(holder, fault), plant: 'p', privateKey: FLEET_KEYS.privateKey },
      ...{ holder, clock: bucket.clock },
    }).start();
  });
  const open = (key: string): unknown => {
    const stored = bucket.read(key);
    return stored && (JSON.parse((stored.value as SignedState).body) as unknown);
  };
  const rollout = () => open(keyOf('rollout', 'r')) as RolloutState | undefined;
  let most = 0;
  const look = (): void => {
    most = Math.max(most, controllers.filter(({ isActive }) => isActive).length);
  };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      await bucket.pass(STEP_MS, STEP_MS);
      look();
    }
  };
  await pass(1_500);
  const operator = new FleetOperator({
    connection: bucket.connect('operator'),
    plant: 'p',
    privateKey: FLEET_KEYS.privateKey,
  });
  await operator.rollout({
    ...{ id: 'r', name: 'check', version: '2.0.0', digest: digestOf('check@2.0.0') },
    waves: [{ stations: ['s1', 's2'] }, { stations: ['s3', 's4', 's5'] }],
  });
  await o.during?.(bucket, look);
  for (let passed = 0; !['done', 'back', 'halted'].includes(rollout()?.state ?? ''); passed += STEP_MS) {
    if (passed > 240_000) throw new Error(`The rollout does not end: ${JSON.stringify(rollout())}`);
    await pass(STEP_MS);
  }
  await pass(12_000);
  endStations();
  const closed = Promise.all(controllers.map((one) => one.close()));
  await bucket.pass(2_000, STEP_MS);
  await closed;
  const desired = STATIONS.map((station) => {
    const state = open(keyOf('desired', station)) as DesiredState | undefined;
    return state && { products: state.products, packages: state.packages, by: state.made?.by };
  });
  return {
    desired,
    state: rollout()?.state,
    serving: stations.map(({ report }) => report.serving.A),
    most,
    bucket,
  };
}

const none: Fault = () => undefined;

/** Lets a controller die at its n-th call: before the server has it, or after. */
function diesAt(nth: number, moment: 'before' | 'after'): { fault: Fault; count: () => number } {
  let calls = 0;
  let isDead = false;
  const fault: Fault = ({ when }) => {
    if (when === 'before') calls++;
    if (calls > nth || (calls === nth && when === moment)) isDead = true;
    if (isDead) throw new RunnerError('unreachable', 'killed');
  };
  return { fault, count: () => calls };
}

const ACCEPT: Behaviour = () => 'accept';
const FAIL: Behaviour = (ref) => (ref === 'check@2.0.0' ? 'fail' : 'accept');

test.each([
  ['is accepted', ACCEPT, 'done'],
  ['fails', FAIL, 'back'],
] as const)(
  'a controller that is killed at any call is followed by another that ends the same way: a rollout that %s',
  async (_what, behaviour, state) => {
    const { fault, count } = diesAt(Infinity, 'before');
    const whole = await play({ behaviour, faults: [fault] });
    expect(whole.state).toBe(state);
    const calls = Math.min(count(), 70); // those after the end are renewals of the lease
    for (let nth = 1; nth <= calls; nth++) {
      const moment = nth % 2 === 0 ? 'before' : 'after';
      const {
        desired,
        serving,
        state: end,
        most,
      } = await play({ behaviour, faults: [diesAt(nth, moment).fault, none] });
      expect({ nth, moment, desired, serving, end, most }).toEqual({
        ...{ nth, moment, desired: whole.desired, serving: whole.serving, end: state, most: 1 },
      });
    }
  },
  120_000,
);

test('under cuts, late answers and lost writes there is never a second controller that acts, and all ends the same way', async () => {
  const whole = await play({ behaviour: ACCEPT, faults: [none] });
  for (let round = 0; round < 12; round++) {
    const seed = (Number(process.env.PROPERTY_SEED) || 0) + round;
    const random = randomOf(seed);
    const { rough, smooth } = roughLine(random, { late: 0.05, turns: () => 50 });
    const { desired, state, most } = await play({
      ...{ behaviour: ACCEPT, faults: [rough, rough, rough] },
      during: async (bucket, look) => {
        for (let turn = 0; turn < 20; turn++) {
          const lose = bucket.snapshot();
          for (let step = 0; step < 6; step++) {
            await bucket.pass(STEP_MS, STEP_MS);
            look();
          }
          const chance = random();
          if (chance < 0.1) lose();
          else if (chance < 0.2) bucket.endWatches();
          else if (chance < 0.25) bucket.loseWatches();
        }
        smooth();
      },
    });
    expect({ seed, products: desired.map((one) => one?.products), state, most }).toEqual({
      ...{ seed, products: whole.desired.map((one) => one?.products), state: 'done', most: 1 },
    });
  }
}, 120_000);

test('under cuts and late answers a stop that was acknowledged stays a stop: nothing of the rollout is written over it', async () => {
  for (let round = 0; round < 12; round++) {
    const seed = (Number(process.env.PROPERTY_SEED) || 0) + round;
    const random = randomOf(seed);
    const { rough, smooth } = roughLine(random, { late: 0.35, turns: () => random() * 60 });
    const stop = { isTaken: false };
    const { state, most, bucket } = await play({
      ...{ behaviour: ACCEPT, faults: [rough, rough, rough] },
      during: async (plant, look) => {
        const halt = async () => {
          const operator = new FleetOperator({
            ...{ connection: plant.connect('stop'), plant: 'p', privateKey: FLEET_KEYS.privateKey },
          });
          // A rollout that has ended by then cannot be stopped.
          stop.isTaken = await operator.halt('r').then(
            () => true,
            () => false,
          );
        };
        const at = Math.floor(random() * 30);
        for (let turn = 0; turn < 40; turn++) {
          if (turn === at) await halt();
          await plant.pass(STEP_MS, STEP_MS);
          look();
        }
        smooth();
      },
    });
    const states = bucket.writes
      .filter(({ key }) => key === keyOf('rollout', 'r'))
      .map(({ value }) => (JSON.parse((value as SignedState).body) as RolloutState).state);
    const { isTaken } = stop;
    const after = isTaken ? new Set(states.slice(states.indexOf('halted'))) : new Set();
    expect({ seed, state, after, most }).toEqual({
      ...{ seed, state: isTaken ? 'halted' : 'done', after: new Set(isTaken ? ['halted'] : []), most: 1 },
    });
  }
}, 120_000);

/** A line that is cut at one call of twenty, and lets a share of the others wait, until it is smooth. */
function roughLine(random: () => number, { late, turns }: { late: number; turns: () => number }) {
  let isRough = true;
  const rough: Fault = async () => {
    if (!isRough) return;
    const chance = random();
    if (chance < 0.05) throw new RunnerError('unreachable', 'cut');
    if (chance < 0.05 + late) for (let turn = 0, most = turns(); turn < most; turn++) await nextTurn();
  };
  const smooth = () => {
    isRough = false;
  };
  return { rough, smooth };
}

/** Mulberry32: numbers from 0 to below 1 from a seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
