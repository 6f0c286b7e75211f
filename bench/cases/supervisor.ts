/** What supervision costs: in a call, at rest, on two cores, when a worker dies, and when a version is switched. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlgorithmSupervisor, InspectionResult } from '../../src/index.js';
import type { BenchCase, BenchContext } from '../harness/case.js';
import { median, percentile } from '../harness/statistics.js';
import { openStation, SAMPLE, SMALL_IMAGE } from '../support/station.js';

const request = { pid: 'A', stepIndex: 1, image: SMALL_IMAGE };

/** Calls one after the other; gives what `cost` makes of each. */
async function costs(
  supervisor: AlgorithmSupervisor,
  calls: number,
  cost: (result: InspectionResult) => number,
): Promise<number[]> {
  const samples: number[] = [];
  for (let call = 0; call < calls; call++) samples.push(cost(await supervisor.execute(request)));
  return samples;
}

async function activeStation(context: BenchContext, versions?: string[]) {
  const station = await openStation(context, versions);
  await station.registry.activate({ ...SAMPLE, pids: ['A'] });
  return station;
}

/** Process id of the only worker. */
function workerOf(supervisor: AlgorithmSupervisor): number {
  const pid = supervisor.status()[0]?.workers[0]?.pid;
  if (pid === undefined) throw new Error('the worker is not there');
  return pid;
}

const call: BenchCase = {
  name: 'supervisor/call',
  measures:
    'A supervised call of 64 x 48 without the time that the worker had it: route, queue, frame, contract',
  figures: { p50: { unit: 'ms' }, p99: { unit: 'ms' } },
  bars: [
    { figure: 'p50', contestant: 'ours', atMost: 0.3 },
    { figure: 'p99', contestant: 'ours', atMost: 1 },
  ],
  async open(context) {
    const { supervise } = await activeStation(context);
    const calls = context.quick ? 200 : 1_000;
    return {
      ours: () => {
        const supervisor = supervise();
        return {
          round: async () => {
            const samples = await costs(supervisor, calls, ({ timing }) => timing.totalMs - timing.callMs);
            return { p50: median(samples), p99: percentile(samples, 0.99) };
          },
        };
      },
    };
  },
};

const wholeCall: BenchCase = {
  name: 'supervisor/whole-call',
  measures: 'A call of 64 x 48 at the bundled worker without the time of the algorithm itself',
  figures: { p50: { unit: 'ms' }, p99: { unit: 'ms' } },
  bars: [{ figure: 'p50', contestant: 'ours', atMost: 0.3 }],
  async open(context) {
    const { supervise } = await activeStation(context);
    const calls = context.quick ? 200 : 1_000;
    return {
      ours: () => {
        const supervisor = supervise({}, 'bundled');
        return {
          round: async () => {
            const samples = await costs(supervisor, calls, ({ timing, metrics }) => {
              if (!metrics) throw new Error('the bundled worker gives the time of the algorithm');
              return timing.totalMs - metrics.algorithmMs;
            });
            return { p50: median(samples), p99: percentile(samples, 0.99) };
          },
        };
      },
    };
  },
};

const idle: BenchCase = {
  name: 'supervisor/idle',
  measures:
    'What a host with eight idle workers takes: memory that it grew by, and its CPU over seven seconds',
  figures: { memory: { unit: 'MiB' }, cpu: { unit: '%' } },
  bars: [
    { figure: 'memory', contestant: 'ours', atMost: 50 },
    { figure: 'cpu', contestant: 'ours', atMost: 0.5 },
  ],
  rounds: 3,
  warmUp: false,
  async open(context) {
    const { supervise } = await openStation(context);
    return {
      ours: async () => {
        const supervisor = supervise();
        // What is loaded and compiled when first used is not what eight workers cost.
        await supervisor.start('sample', '1.0.0', { workers: 1 });
        await supervisor.stop('sample', '1.0.0');
        const before = process.memoryUsage.rss();
        await supervisor.start('sample', '1.0.0', { workers: 8 });
        const memory = (process.memoryUsage.rss() - before) / 2 ** 20;
        return {
          round: async () => {
            const cpu = process.cpuUsage();
            const startedAt = performance.now();
            await sleep(context.quick ? 1_000 : 7_000); // longer than a heartbeat interval
            const { user, system } = process.cpuUsage(cpu);
            return { memory, cpu: ((user + system) / 1_000 / (performance.now() - startedAt)) * 100 };
          },
        };
      },
    };
  },
};

const throughput: BenchCase = {
  name: 'supervisor/throughput',
  measures: 'Calls a second of an algorithm that burns the CPU for 25 ms, at two workers and at one',
  figures: { throughput: { unit: 'calls/s', better: 'higher' } },
  bars: [{ figure: 'throughput', contestant: 'ours, 2 workers', over: 'ours, 1 worker', atLeast: 1.8 }],
  warmUp: false,
  async open(context) {
    const { supervise } = await openStation(context);
    const calls = context.quick ? 12 : 40;
    const withWorkers = (workers: number) => async () => {
      const supervisor = supervise({ executeTimeoutMs: 60_000 });
      await supervisor.start('sample', '1.0.0', { workers });
      const burn = () =>
        supervisor.execute({
          target: SAMPLE,
          stepIndex: 1,
          image: SMALL_IMAGE,
          userParams: { spin_ms: 25 },
        });
      return {
        round: async () => {
          const startedAt = performance.now();
          await Promise.all(Array.from({ length: calls }, burn));
          return { throughput: (calls / (performance.now() - startedAt)) * 1_000 };
        },
      };
    };
    return { 'ours, 2 workers': withWorkers(2), 'ours, 1 worker': withWorkers(1) };
  },
};

const pipelining: BenchCase = {
  name: 'supervisor/pipelining',
  measures:
    'Three calls in flight at one worker, two images of 1920 x 1200 each: time over that of the algorithm',
  figures: { ratio: { unit: 'x' } },
  bars: [{ figure: 'ratio', contestant: 'ours', atMost: 1.1 }],
  rounds: 7,
  async open(context) {
    const { supervise } = await openStation(context);
    const shape = { width: 1920, height: 1200 };
    const large = { data: new Uint8Array(1920 * 1200 * 3).fill(7), ...shape };
    return {
      ours: async () => {
        const supervisor = supervise({}, 'bundled');
        await supervisor.start('sample', '1.0.0');
        const inARow = async (calls: number) => {
          let algorithmMs = 0;
          for (let call = 0; call < calls; call++) {
            const { metrics } = await supervisor.execute({
              ...{ target: SAMPLE, stepIndex: 1, image: large, guideImage: large },
              userParams: { spin_ms: 15 },
            });
            algorithmMs += metrics?.algorithmMs ?? NaN;
          }
          return algorithmMs;
        };
        return {
          round: async () => {
            const startedAt = performance.now();
            const times = await Promise.all([inARow(10), inARow(10), inARow(10)]);
            const took = performance.now() - startedAt;
            return { ratio: took / times.reduce((sum, ms) => sum + ms, 0) };
          },
        };
      },
    };
  },
};

const exitNoticed: BenchCase = {
  name: 'supervisor/exit',
  measures: 'From the death of an idle worker to the event that reports it',
  figures: { noticed: { unit: 'ms' } },
  bars: [{ figure: 'noticed', contestant: 'ours', atMost: 50 }],
  rounds: 15,
  async open(context) {
    const { supervise } = await openStation(context);
    return {
      ours: async () => {
        const supervisor = supervise({ maxCrashes: 1_000, maxRestarts: 1_000 });
        await supervisor.start('sample', '1.0.0');
        return {
          round: async () => {
            const worker = workerOf(supervisor);
            const exited = new Promise((resolve) => supervisor.once('exit', resolve));
            const ready = new Promise((resolve) => supervisor.once('ready', resolve));
            const killedAt = performance.now();
            process.kill(worker, 'SIGKILL');
            await exited;
            const noticed = performance.now() - killedAt;
            await ready;
            return { noticed };
          },
        };
      },
    };
  },
};

const LIMITS = { heartbeatIntervalMs: 400, heartbeatGraceMs: 200 };

const hangNoticed: BenchCase = {
  name: 'supervisor/hang',
  measures: `From the halt of an idle worker to the event that reports it, heartbeat every ${LIMITS.heartbeatIntervalMs} ms, grace ${LIMITS.heartbeatGraceMs} ms`,
  figures: { noticed: { unit: 'ms' } },
  bars: [
    {
      ...{ figure: 'noticed', contestant: 'ours' },
      atMost: LIMITS.heartbeatIntervalMs + LIMITS.heartbeatGraceMs + 10, // timers of Node are a few ms late
    },
  ],
  rounds: 10,
  warmUp: false,
  async open(context) {
    const { supervise } = await openStation(context);
    return {
      ours: async () => {
        const supervisor = supervise({ maxCrashes: 1_000, maxRestarts: 1_000, limits: LIMITS });
        await supervisor.start('sample', '1.0.0');
        let rounds = 0;
        return {
          round: async () => {
            const worker = workerOf(supervisor);
            await sleep(37 * rounds++); // at another point of the interval each time
            const lost = new Promise((resolve) => supervisor.once('heartbeatLost', resolve));
            const ready = new Promise((resolve) => supervisor.once('ready', resolve));
            const stoppedAt = performance.now();
            process.kill(worker, 'SIGSTOP');
            await lost;
            const noticed = performance.now() - stoppedAt;
            await ready;
            return { noticed };
          },
        };
      },
    };
  },
};

const switching: BenchCase = {
  name: 'supervisor/switch',
  measures:
    'The slowest of the calls that follow each other around a switch to a warm version, and around no switch',
  figures: { slowest: { unit: 'ms' } },
  bars: [{ figure: 'slowest', contestant: 'ours, with a switch', minus: 'ours, without', atMost: 5 }],
  rounds: 40,
  async open(context) {
    const { registry, supervise } = await openStation(context, ['1.0.0', '2.0.0']);
    // An id of its own keeps each version warm.
    await registry.activate({ name: 'sample', version: '1.0.0', pids: ['A', 'K1'] });
    await registry.activate({ name: 'sample', version: '2.0.0', pids: ['K2'] });
    const supervisor = supervise();
    const call = (pid: string) => supervisor.execute({ ...request, pid });
    for (let n = 0; n < (context.quick ? 40 : 300); n++) await call(n % 2 ? 'K1' : 'K2');
    const slowest = async (during: () => Promise<unknown>) => {
      const state = { isOver: false };
      const done = during().finally(() => (state.isOver = true));
      let most = 0;
      for (let calls = 0; calls < 20 || !state.isOver; calls++) {
        most = Math.max(most, (await call('A')).timing.totalMs);
      }
      await done;
      return { slowest: most };
    };
    let switches = 0;
    return {
      'ours, with a switch': () => ({
        round: () => {
          const version = switches++ % 2 ? '1.0.0' : '2.0.0';
          return slowest(() => supervisor.switch({ name: 'sample', version, pids: ['A'] }));
        },
      }),
      'ours, without': () => ({ round: () => slowest(() => sleep(10)) }),
    };
  },
};

const shadow: BenchCase = {
  name: 'supervisor/shadow',
  measures: 'Cost of a call in the host with a shadow that gets a copy of every call, and without one',
  figures: { p50: { unit: 'ms' } },
  bars: [{ figure: 'p50', contestant: 'ours, with a shadow', minus: 'ours, without', atMost: 0.1 }],
  rounds: 15,
  async open(context) {
    const { supervise } = await activeStation(context, ['1.0.0', '2.0.0']);
    const supervisor = supervise();
    await supervisor.start('sample', '2.0.0'); // stands in both turns: no turn pays for its start
    const cost = async (calls: number) =>
      median(await costs(supervisor, calls, ({ timing }) => timing.totalMs - timing.callMs));
    await cost(context.quick ? 50 : 300);
    return {
      'ours, with a shadow': () => ({
        round: async () => {
          const shadow = await supervisor.shadow({ name: 'sample', version: '2.0.0' });
          const p50 = await cost(100);
          await shadow.stop();
          return { p50 };
        },
      }),
      'ours, without': () => ({ round: async () => ({ p50: await cost(100) }) }),
    };
  },
};

export const cases: BenchCase[] = [
  ...[call, wholeCall, idle, throughput, pipelining, exitNoticed, hangNoticed, switching, shadow],
];
