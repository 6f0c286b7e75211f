import { expect, onTestFinished, test } from 'vitest';
import { FleetAgent } from '../../../src/fleet/agent/agent.js';
import { keyOf } from '../../../src/fleet/keys.js';
import type { FleetConnection } from '../../../src/fleet/ports.js';
import { signState } from '../../../src/fleet/state/signing.js';
import type { DesiredState, ReportedState } from '../../../src/fleet/state.js';
import { generateSigningKeys } from '../../../src/signing/index.js';
import { Machine } from '../simulator/machine.js';
import { SimServer } from '../simulator/server.js';
import type { Quality } from '../simulator/station.js';
import { World } from '../simulator/world.js';

const { privateKey, publicKey } = generateSigningKeys();
const PLANT = 'north';
const STATION = 'line 1';
const DESIRED = keyOf('desired', STATION);
const REPORTED = keyOf('reported', STATION);

/** An agent on virtual time, with what its connection does to calls. */
async function agentOf(
  catalogue: Record<string, Quality>,
  change: (connection: FleetConnection) => {
    values?: Partial<FleetConnection['values']>;
    events?: Partial<FleetConnection['events']>;
  } = () => ({}),
) {
  const world = new World(1);
  const server = new SimServer(world);
  const packages = Object.entries(catalogue).map(
    ([ref, quality], index) => [ref, { digest: String(index).repeat(64), quality }] as const,
  );
  const settings = { plant: PLANT, publicKeys: [publicKey] };
  const machine = new Machine(STATION, world, server, new Map(packages), settings);
  let wanted = '';
  machine.wanted = () => ({ A: wanted });
  const options = machine.options();
  const { connection } = options;
  const changed = change(connection);
  const values = { ...connection.values, ...changed.values };
  const events = { ...connection.events, ...changed.events };
  const reports: ReportedState[] = [];
  const revisions: (number | undefined)[] = [];
  const { put } = values;
  values.put = (key, value, o) => {
    if (key === REPORTED) {
      reports.push(value as ReportedState);
      revisions.push(o?.revision);
    }
    return put(key, value, o);
  };
  const { disk } = options;
  const agent = FleetAgent.start({
    ...options,
    disk: {
      ...disk,
      write: async (record) => {
        await world.sleep(300); // a busy disk: an event is appended sooner than the record is replaced
        return disk.write(record);
      },
    },
    connection: {
      ...{ values, events, isConnected: true },
      onConnect: (listener) => connection.onConnect(listener),
      close: () => connection.close(),
    },
  });
  let isStarted = false;
  void agent.then(() => (isStarted = true));
  await world.run(60_000, () => isStarted);
  const pass = (ms: number, isDone?: () => boolean) => world.run(world.now + ms, isDone);
  onTestFinished(async () => {
    const closed = (await agent).close();
    await pass(60_000);
    await closed;
  });
  return {
    ...{ world, server, reports, revisions, pass },
    /** The line ends, and stands again within 2 s. */
    reconnect: () => {
      machine.cable.mend();
    },
    /** The server loses its power, and what it has stored so far. */
    loseAll: () => {
      server.cutPower();
      machine.cable.mend();
    },
    reported: () => server.get(REPORTED)?.value as ReportedState | undefined,
    want: (rev: number, ref: string) => {
      wanted = ref;
      const found = new Map(packages).get(ref);
      const state: DesiredState = {
        ...{ rev, plant: PLANT, station: STATION, products: { A: ref } },
        packages: { [ref]: { digest: found?.digest ?? '' } },
      };
      const { key, value } = signState('desired', state, privateKey);
      return server.put(key, value);
    },
  };
}

test('a failure that is of the version before is never reported as one of the version that is wanted now', async () => {
  const { want, pass, reports, reported } = await agentOf({ 'check@1.0': 'swapped', 'check@2.0': 'good' });
  want(1, 'check@1.0');
  await pass(120_000, () => reported()?.state === 'failed');
  await pass(1_000);
  expect(reported()).toMatchObject({ rev: 1, state: 'failed', code: 'digest_mismatch' });
  want(2, 'check@2.0');
  await pass(60_000);
  expect(reported()).toMatchObject({ rev: 2, serving: { A: 'check@2.0' } });
  expect(reports.filter(({ rev, state }) => rev === 2 && state === 'failed')).toEqual([]);
});

test('a desired state that was read before a newer word, and comes after it, is no replay: nothing is refused', async () => {
  let late: (() => Promise<void>) | undefined;
  const { world, want, pass, reports, reported } = await agentOf(
    { 'check@1.0': 'good', 'check@2.0': 'good' },
    ({ values }) => ({
      values: {
        get: async (key, o) => {
          const stored = await values.get(key, o);
          if (key === DESIRED) await late?.();
          return stored;
        },
      },
    }),
  );
  want(1, 'check@1.0');
  await pass(120_000);
  expect(reported()).toMatchObject({ rev: 1, serving: { A: 'check@1.0' } });
  late = async () => {
    late = undefined;
    want(2, 'check@2.0');
    await world.sleep(3_000);
  };
  await pass(180_000);
  expect(late).toBeUndefined();
  expect(reported()).toMatchObject({ rev: 2, serving: { A: 'check@2.0' } });
  expect(reports.filter(({ state }) => state === 'refused')).toEqual([]);
});

test('a report that the server lost is told again at once, also where the answer to its write comes after the line stands again', async () => {
  let late: (() => Promise<void>) | undefined;
  const { world, pass, reported, loseAll } = await agentOf({}, ({ values }) => ({
    values: {
      put: async (key, value, o) => {
        const revision = await values.put(key, value, o);
        if (key === REPORTED) await late?.();
        return revision;
      },
    },
  }));
  late = async () => {
    late = undefined;
    loseAll();
    await world.sleep(3_000);
  };
  await pass(90_000, () => late === undefined);
  expect(reported()).toBeUndefined();
  await pass(10_000);
  expect(reported()).toMatchObject({ state: 'idle' });
});

test('a report is written only over the one that was read, also where the line comes to stand again in between', async () => {
  const { pass, revisions, reconnect } = await agentOf({});
  for (let round = 0; round < 20; round++) {
    reconnect();
    await pass(500);
  }
  await pass(10_000);
  expect(revisions.length).toBeGreaterThan(1);
  expect(revisions.filter((revision) => revision === undefined)).toEqual([]);
});

test('events that the server lost are published again at once, also where the answer to what it has comes after the line stands again', async () => {
  let late: (() => Promise<void>) | undefined;
  const { world, server, pass, reconnect, loseAll } = await agentOf({}, ({ events }) => ({
    events: {
      lastOffset: async (station, o) => {
        const offset = await events.lastOffset(station, o);
        await late?.();
        return offset;
      },
    },
  }));
  await pass(10_000);
  const published = server.lastOffset(STATION);
  expect(published).toBeGreaterThan(0);
  late = async () => {
    late = undefined;
    loseAll();
    await world.sleep(3_000);
  };
  reconnect();
  await pass(20_000);
  expect(late).toBeUndefined();
  expect(server.lastOffset(STATION)).toBe(published);
});
