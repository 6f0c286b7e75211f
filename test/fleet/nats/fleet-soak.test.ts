import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type BarState,
  type DesiredState,
  FleetAgent,
  fleetPermissions,
  keyOf,
  type ReportedState,
} from '../../../src/fleet/index.js';
import { loadNats } from '../../../src/fleet/nats/peers.js';
import { signState } from '../../../src/fleet/state/signing.js';
import { generateSigningKeys } from '../../../src/signing/index.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
import { PlainDisk, PlainStation, sharedBytes } from '../../support/plain-station.js';
import { SilentProxy } from '../../support/silent-proxy.js';
import { reportSoak } from '../../support/soak-report.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** `npm run soak:fleet-server` takes 200 stations; the suite takes a few, so that every step is gone through. */
const STATIONS = Number(process.env.FLEET_SERVER_STATIONS ?? 6);
const SILENT_MS = Number(process.env.FLEET_SERVER_SILENT_MS ?? 1_500);
/** In this time every station that can be reached has converged. */
const CONVERGED_MS = 60_000;

const skip = (await natsServer()) === undefined;
const title = skip ? `a plant on a real server (skipped: ${NO_SERVER})` : 'a plant on a real server';
const { nkeys } = loadNats('test').transport;
const keys = generateSigningKeys();
const PLANT = 'north';
const ID = 'BOARD-7';

/** The real agents on real lines with their permissions; store and supervisor of each are stand-ins. */
async function plant() {
  const folder = await temporaryFolder();
  const names = Array.from({ length: STATIONS }, (_, index) => `line ${index}`);
  const seeds = new Map<string, string>();
  const user = async (role: 'station' | 'controller' | 'administrator', name: string) => {
    const pair = nkeys.createUser();
    const file = path.join(folder, `${name}.seed`);
    await writeFile(file, pair.getSeed());
    seeds.set(name, file);
    return { role, name, key: pair.getPublicKey() };
  };
  const users = await Promise.all([
    user('administrator', 'root'),
    user('controller', 'control'),
    ...names.map((name) => user('station', name)),
  ]);
  const server = await TestServer.start(fleetPermissions({ plant: PLANT, users }));
  const as = (name: string, url = server.url) =>
    server.connect({
      ...{ servers: [url], name, seedFile: seeds.get(name) ?? '', waitMs: 60_000 },
      ...(url !== server.url && { pingIntervalMs: 1_000 }),
    });
  const root = await as('root');
  await root.create();
  const control = await as('control');
  const proxy = await SilentProxy.start(server.port);
  const stations = await Promise.all(
    names.map(async (name, index) => {
      // The line of one of them can go silent.
      const connection = await as(name, index === 0 ? proxy.url : server.url);
      const [disk, target] = [new PlainDisk(), new PlainStation()];
      const agent = await FleetAgent.start({
        ...{ plant: PLANT, station: name, publicKeys: [keys.publicKey], connection },
        ...{ disk, target, bytes: sharedBytes, library: '0.0.0' },
      });
      onTestFinished(() => agent.close());
      return { name, disk, target, agent };
    }),
  );
  let rev = 0;
  const versions: string[] = [];
  /** Wants every station to serve a version. */
  const want = async (version: string) => {
    const ref = `board@${version}`;
    if (!versions.includes(ref)) versions.push(ref);
    rev++;
    const digest = createHash('sha256').update(ref).digest('hex');
    await Promise.all(
      names.map(async (station) => {
        const state: DesiredState = {
          ...{ rev, plant: PLANT, station, packages: { [ref]: { digest } }, products: { [ID]: ref } },
        };
        const { key, value } = signState('desired', state, keys.privateKey);
        // A line that breaks in the middle is asked again: the same words twice are the same.
        await vi.waitFor(() => control.values.put(key, value), CONVERGED_MS);
      }),
    );
  };
  const bar = async (version: string) => {
    const state: BarState = {
      rev: 1,
      plant: PLANT,
      name: 'board',
      version,
      reason: 'drift',
      by: 'a',
      at: 'now',
    };
    const { key, value } = signState('bar', state, keys.privateKey);
    await control.values.put(key, value);
  };
  const converged = async (version: string, among = names) => {
    await vi.waitFor(
      async () => {
        for (const name of among) {
          const value = (await control.values.get(keyOf('reported', name)))?.value as
            ReportedState | undefined;
          expect(value).toMatchObject({ rev, state: 'converged', serving: { [ID]: `board@${version}` } });
        }
      },
      { timeout: CONVERGED_MS, interval: 250 },
    );
  };
  return { server, proxy, control, stations, names, want, bar, converged };
}

describe.skipIf(skip)(title, () => {
  test(
    'every station converges, goes back on a bar, and loses nothing over a killed server and a silent line',
    { timeout: 600_000 },
    async () => {
      const { server, proxy, control, stations, names, want, bar, converged } = await plant();
      await want('1.0.0');
      await converged('1.0.0');
      await want('2.0.0');
      await converged('2.0.0');

      // From the bar to the last station back.
      const backs: number[] = [];
      const startedAt = performance.now();
      for (const { target } of stations) {
        target.onServing = (ref) => {
          if (ref === 'board@1.0.0') backs.push(performance.now() - startedAt);
        };
      }
      await bar('2.0.0');
      await vi.waitFor(
        () => {
          expect(stations.map(({ target }) => target.served(ID))).toEqual(names.map(() => 'board@1.0.0'));
        },
        { timeout: CONVERGED_MS, interval: 20 },
      );
      backs.sort((a, b) => a - b);
      const at = (share: number) => Math.round(backs[Math.ceil(share * backs.length) - 1] ?? NaN);
      const back = { 'back p50 ms': at(0.5), 'p99 ms': at(0.99), 'last ms': at(1) };

      // The server is killed while a change is on its way, and comes back.
      const change = want('3.0.0');
      await server.stop('SIGKILL');
      await server.restart();
      const restartedAt = performance.now();
      await change;
      await converged('3.0.0');
      const afterKill = Math.round(performance.now() - restartedAt);

      // A line goes silent; what was written in the meantime arrives.
      proxy.goSilent();
      await want('4.0.0');
      await converged('4.0.0', names.slice(1));
      await new Promise((resolve) => setTimeout(resolve, SILENT_MS)); // the silence itself
      proxy.speak();
      const spokeAt = performance.now();
      await converged('4.0.0');
      const afterSilence = Math.round(performance.now() - spokeAt);
      reportSoak('FLEET_SERVER_STATIONS', `a plant of ${STATIONS} stations`, {
        ...back,
        'converged after a kill ms': afterKill,
        'after a silence ms': afterSilence,
      });

      // Each event is in the stream once, in its order.
      for (const { name, disk } of stations) {
        await vi.waitFor(
          async () => {
            const stored = await control.events.read({ station: name, after: 0, limit: 10_000 });
            expect(stored.map(({ body }) => body)).toEqual(
              disk.log.map(({ offset, event }) => ({ ...(event as object), offset })),
            );
          },
          { timeout: CONVERGED_MS, interval: 250 },
        );
        expect(disk.log.length).toBeGreaterThan(4);
      }
    },
  );
});
