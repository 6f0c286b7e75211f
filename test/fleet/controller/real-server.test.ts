import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { FleetOperator } from '../../../src/fleet/controller/operator.js';
import { namesIn } from '../../../src/fleet/keys.js';
import type { RolloutState, SignedState } from '../../../src/fleet/state.js';
import { startScript } from '../../support/child-script.js';
import { FLEET_KEYS } from '../../support/fleet-bucket.js';
import { natsServer, NO_SERVER, TestServer } from '../../support/nats-server.js';
import { digestOf, ScriptedStation } from '../../support/scripted-station.js';
import { reportSoak } from '../../support/soak-report.js';

const binary = await natsServer();
/** `npm run soak:fleet-controller` makes it 200, and prints what took how long. */
const STATIONS = Number(process.env.FLEET_CONTROLLER_STATIONS ?? 20);
const IDLE_MS = process.env.FLEET_CONTROLLER_STATIONS === undefined ? 0 : 20_000;

interface Line {
  kind: string;
  ms?: number;
  at?: number;
}

async function controllerProcess(url: string) {
  const lines: (Line & { heardAt: number })[] = [];
  const script = await startScript('controller-process.ts', [url, FLEET_KEYS.privateKey], (line) => {
    lines.push({ ...(JSON.parse(line) as Line), heardAt: performance.now() });
  });
  onTestFinished(async () => {
    script.process.kill('SIGKILL');
    await script.end;
  });
  const acts = () => lines.findLast(({ kind }) => kind === 'active' || kind === 'standby')?.kind === 'active';
  /** Share of a core that it has used since a line. */
  const share = (from: number) => {
    const cpu = lines.slice(from).filter(({ kind }) => kind === 'cpu');
    const [first, last] = [cpu[0], cpu.at(-1)];
    return ((last?.ms ?? 0) - (first?.ms ?? 0)) / ((last?.at ?? 0) - (first?.at ?? 0) || 1);
  };
  return { ...script, lines, acts, share };
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(5);
}

test.skipIf(binary === undefined)(
  `${STATIONS} stations and two controllers on a real server: two waves, a controller that is killed, the way back (${NO_SERVER} where it is skipped)`,
  async () => {
    const server = await TestServer.start();
    const connection = await server.connect();
    await connection.create();
    const names = Array.from({ length: STATIONS }, (_, index) => `s${index}`);
    const stations = new Map(names.map((name) => [name, new ScriptedStation(connection, name)]));
    const lookAll = () => Promise.all([...stations.values()].map((station) => station.look()));
    await lookAll();

    const first = await controllerProcess(server.url);
    await until(first.acts);
    const second = await controllerProcess(server.url);
    await until(() => second.lines.length > 0);

    // Each station reports at once what it makes of its desired state, and each minute that it is there.
    let lastReportAt = 0;
    const decidedAt = new Map<string, number>();
    const follow = async (name: string): Promise<void> => {
      await stations.get(name)?.look();
      if (!decidedAt.has('1 running')) lastReportAt = performance.now();
    };
    const watched = (key: string, onBody: (key: string, body: string) => void) => {
      const end = connection.values.watch(key, {
        onChange: (stored) => {
          if (stored) onBody(stored.key, (stored.value as SignedState).body);
        },
        onEnd: () => undefined,
      });
      onTestFinished(end);
    };
    watched('desired.>', (key) => void follow(namesIn(key, 'desired')?.[0] ?? ''));
    watched('bar.>', () => void lookAll());
    let rollout: RolloutState | undefined;
    watched('rollout.>', (_key, body) => {
      rollout = JSON.parse(body) as RolloutState;
      const what = `${rollout.wave} ${rollout.state}`;
      if (!decidedAt.has(what)) decidedAt.set(what, performance.now());
    });

    const from = first.lines.length;
    const endsAt = performance.now() + IDLE_MS;
    for (let index = 0; performance.now() < endsAt; index++) {
      await stations.get(names[index % STATIONS] ?? '')?.look();
      await delay(60_000 / STATIONS);
    }
    const [idle, idleBeside] = [first.share(from), second.share(0)];
    await lookAll();

    const operator = new FleetOperator({ connection, plant: 'p', privateKey: FLEET_KEYS.privateKey });
    const [wave, rest] = [names.slice(0, -2), names.slice(-2)];
    await operator.rollout({
      ...{ id: 'r', name: 'check', version: '2.0.0', digest: digestOf('check@2.0.0') },
      waves: [{ stations: wave }, { stations: rest, gates: { approval: false } }],
    });
    await until(async () => {
      if (rollout?.moving.length === 0) await lookAll(); // a controller that has just begun waits for a report of each
      return decidedAt.has('1 running');
    });
    const decidedMs = (decidedAt.get('1 running') ?? 0) - lastReportAt;
    await until(() => rollout?.state === 'done');

    // On a machine that is busy the lease may have passed to the other one before.
    const [acting, standing] = first.acts() ? [first, second] : [second, first];
    const heard = standing.lines.length;
    const killedAt = performance.now();
    acting.process.kill('SIGKILL');
    await until(() => standing.lines.slice(heard).some(({ kind }) => kind === 'active'));
    const failOverMs = performance.now() - killedAt;

    await operator.back({ rollout: 'r' });
    await until(() => rollout?.state === 'back');
    await until(async () => {
      await lookAll();
      return [...stations.values()].every(({ report }) => report.serving.A === 'check@1.0.0');
    });
    reportSoak('FLEET_CONTROLLER_STATIONS', `${STATIONS} stations`, {
      'a wave decided after its last report, ms': Math.round(decidedMs),
      'fail-over, ms': Math.round(failOverMs),
      'idle controller, % of a core': (idle * 100).toFixed(1),
      'idle controller that stands by, % of a core': (idleBeside * 100).toFixed(1),
    });
    expect(standing.lines.filter(({ kind }) => kind === 'error')).toEqual([]);
  },
  120_000,
);
