/** What supervision costs: in a call, at rest, on two cores, when a worker dies, and when a version is switched. */
import { setTimeout as sleep } from 'node:timers/promises';
import { compare, figure, median, percentile, type BenchCase, type BenchResult } from '../harness.js';
import { withStation } from '../support/station.js';

const image = { data: new Uint8Array(64 * 48 * 3).fill(50), width: 64, height: 48 };

/** All of a call but the time the algorithm had: route, queue, frame, contract, both pipes and the worker's own work. */
function wholeCallCost(): Promise<BenchResult[]> {
  return withStation(['1.0.0'], async ({ registry, supervise }) => {
    await registry.activate({ name: 'sample', version: '1.0.0', pids: ['A'] });
    const supervisor = supervise({}, 'bundled');
    const costs: number[] = [];
    for (let call = 0; call < 3_000; call++) {
      const { timing, metrics } = await supervisor.execute({ pid: 'A', stepIndex: 1, image });
      if (!metrics) throw new Error('the bundled worker tells the time of the algorithm');
      if (call >= 500) costs.push(timing.totalMs - metrics.algorithmMs);
    }
    return [
      figure({
        name: 'bundled call of 64 x 48: all of it but the algorithm, p50',
        unit: 'ms',
        samples: costs,
        atMost: 0.3,
      }),
    ];
  });
}

/** Route, queue, frame, contract: all of a call but the time the worker had it. */
function callCost(): Promise<BenchResult[]> {
  return withStation(['1.0.0'], async ({ registry, supervise }) => {
    await registry.activate({ name: 'sample', version: '1.0.0', pids: ['A'] });
    const supervisor = supervise();
    const costs: number[] = [];
    for (let call = 0; call < 3_000; call++) {
      const { timing } = await supervisor.execute({ pid: 'A', stepIndex: 1, image });
      if (call >= 500) costs.push(timing.totalMs - timing.callMs);
    }
    const of = (name: string, share: number, atMost: number) =>
      figure({ name, unit: 'ms', samples: costs, value: percentile(costs, share), atMost });
    return [
      of('supervised call of 64 x 48: cost in the host, p50', 0.5, 0.3),
      of('supervised call of 64 x 48: cost in the host, p99', 0.99, 1),
    ];
  });
}

function idleHost(): Promise<BenchResult[]> {
  return withStation(['1.0.0'], async ({ supervise }) => {
    const supervisor = supervise();
    // What is loaded and compiled when first used is not what eight workers cost.
    await supervisor.start('sample', '1.0.0', { workers: 1 });
    await supervisor.stop('sample', '1.0.0');
    const before = process.memoryUsage.rss();
    await supervisor.start('sample', '1.0.0', { workers: 8 });
    const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
    const shares: number[] = [];
    for (let look = 0; look < 5; look++) {
      const cpu = process.cpuUsage();
      const startedAt = performance.now();
      await sleep(6_000); // longer than a heartbeat interval
      const { user, system } = process.cpuUsage(cpu);
      shares.push(((user + system) / 1_000 / (performance.now() - startedAt)) * 100);
    }
    return [
      figure({ name: 'idle host with 8 workers: memory grown', unit: 'MiB', samples: [grown], atMost: 50 }),
      figure({ name: 'idle host with 8 workers: CPU', unit: '%', samples: shares, atMost: 0.5 }),
    ];
  });
}

function throughput(): Promise<BenchResult[]> {
  return withStation(['1.0.0'], async ({ supervise }) => {
    const run = async (workers: number) => {
      const supervisor = supervise({ executeTimeoutMs: 60_000 });
      await supervisor.start('sample', '1.0.0', { workers });
      const target = { name: 'sample', version: '1.0.0' };
      const calls = 40;
      const startedAt = performance.now();
      await Promise.all(
        Array.from({ length: calls }, () =>
          supervisor.execute({ target, stepIndex: 1, image, userParams: { spin_ms: 25 } }),
        ),
      );
      const perSecond = (calls / (performance.now() - startedAt)) * 1_000;
      await supervisor.close();
      return perSecond;
    };
    const result = await compare({
      name: 'throughput of 2 workers, an algorithm that burns the CPU',
      unit: 'calls/s',
      comparator: '1 worker',
      ours: () => run(2),
      theirs: () => run(1),
      rounds: 5,
      warmUp: false,
      atLeast: 1.8,
    });
    return [result];
  });
}

/** Three calls with two large images in flight at one worker: its algorithm alone should be what they wait for. */
function pipelining(): Promise<BenchResult[]> {
  return withStation(['1.0.0'], async ({ supervise }) => {
    const supervisor = supervise({}, 'bundled');
    await supervisor.start('sample', '1.0.0');
    const shape = { width: 1920, height: 1200 };
    const large = { data: new Uint8Array(1920 * 1200 * 3).fill(7), ...shape };
    const target = { name: 'sample', version: '1.0.0' };
    let algorithmMs = 0;
    const inARow = async (calls: number) => {
      for (let call = 0; call < calls; call++) {
        const { metrics } = await supervisor.execute({
          ...{ target, stepIndex: 1, image: large, guideImage: large, userParams: { spin_ms: 15 } },
        });
        algorithmMs += metrics?.algorithmMs ?? NaN;
      }
    };
    await inARow(5);
    const samples: number[] = [];
    for (let round = 0; round < 7; round++) {
      algorithmMs = 0;
      const startedAt = performance.now();
      await Promise.all([inARow(10), inARow(10), inARow(10)]);
      samples.push((performance.now() - startedAt) / algorithmMs);
    }
    return [
      figure({
        name: 'three calls in flight at one worker, two images of 1920 x 1200: time over that of the algorithm',
        unit: 'x',
        samples,
        atMost: 1.1,
      }),
    ];
  });
}

function exitNoticed(): Promise<BenchResult[]> {
  return withStation(['1.0.0'], async ({ supervise }) => {
    const supervisor = supervise({ maxCrashes: 1_000, maxRestarts: 1_000 });
    await supervisor.start('sample', '1.0.0');
    const samples: number[] = [];
    for (let round = 0; round < 15; round++) {
      const pid = supervisor.status()[0]?.workers[0]?.pid;
      if (pid === undefined) throw new Error('the worker is not there to be killed');
      const exited = new Promise((resolve) => supervisor.once('exit', resolve));
      const ready = new Promise((resolve) => supervisor.once('ready', resolve));
      const killedAt = performance.now();
      process.kill(pid, 'SIGKILL');
      await exited;
      samples.push(performance.now() - killedAt);
      await ready;
    }
    return [figure({ name: 'death of an idle worker noticed', unit: 'ms', samples, atMost: 50 })];
  });
}

/** Stopped in its sleep it answers no ping: from then to the news of it, against interval and grace. */
function hangNoticed(): Promise<BenchResult[]> {
  const limits = { heartbeatIntervalMs: 400, heartbeatGraceMs: 200 };
  return withStation(['1.0.0'], async ({ supervise }) => {
    const supervisor = supervise({ maxCrashes: 1_000, maxRestarts: 1_000, limits });
    await supervisor.start('sample', '1.0.0');
    const samples: number[] = [];
    for (let round = 0; round < 10; round++) {
      const pid = supervisor.status()[0]?.workers[0]?.pid;
      if (pid === undefined) throw new Error('the worker is not there to be stopped');
      await sleep(37 * round); // at another point of the interval each time
      const lost = new Promise((resolve) => supervisor.once('heartbeatLost', resolve));
      const ready = new Promise((resolve) => supervisor.once('ready', resolve));
      const stoppedAt = performance.now();
      process.kill(pid, 'SIGSTOP');
      await lost;
      samples.push(performance.now() - stoppedAt);
      await ready;
    }
    const atMost = limits.heartbeatIntervalMs + limits.heartbeatGraceMs;
    return [
      figure({
        name: `hang of an idle worker noticed, longest (interval ${limits.heartbeatIntervalMs}, grace ${limits.heartbeatGraceMs})`,
        unit: 'ms',
        samples,
        value: Math.max(...samples),
        atMost: atMost + 10, // timers of Node come up to a few milliseconds late
      }),
    ];
  });
}

/** Calls follow each other without a pause; the slowest around a switch against the slowest of as long without one. */
function switchDelay(): Promise<BenchResult[]> {
  return withStation(['1.0.0', '2.0.0'], async ({ registry, supervise }) => {
    // An id of its own keeps each version warm.
    await registry.activate({ name: 'sample', version: '1.0.0', pids: ['A', 'K1'] });
    await registry.activate({ name: 'sample', version: '2.0.0', pids: ['K2'] });
    const supervisor = supervise();
    const call = (pid: string) => supervisor.execute({ pid, stepIndex: 1, image });
    for (let n = 0; n < 300; n++) await call(n % 2 ? 'K1' : 'K2');
    const slowest = async (during: () => Promise<void>) => {
      const state = { isOver: false };
      const done = during().finally(() => (state.isOver = true));
      let most = 0;
      for (let calls = 0; calls < 20 || !state.isOver; calls++) {
        const { totalMs } = (await call('A')).timing;
        most = Math.max(most, totalMs);
      }
      await done;
      return most;
    };
    const extra: number[] = [];
    const longest = { with: 0, without: 0 };
    for (let round = 0; round < 40; round++) {
      const version = round % 2 ? '1.0.0' : '2.0.0';
      const with_ = await slowest(() => supervisor.switch({ name: 'sample', version, pids: ['A'] }));
      const without = await slowest(() => sleep(10).then(() => undefined));
      extra.push(Math.max(0, with_ - without));
      longest.with = Math.max(longest.with, with_);
      longest.without = Math.max(longest.without, without);
    }
    return [
      figure({
        name: 'extra delay of a call by a switch to a warm version',
        unit: 'ms',
        samples: extra,
        value: median(extra),
        atMost: 5,
      }),
      // The longest of all holds the machine's own hiccups: so does the longest of as many stretches without a switch.
      figure({
        name: `longest call around 40 such switches (${longest.with.toFixed(1)} ms) less the longest without`,
        unit: 'ms',
        samples: extra,
        value: Math.max(0, longest.with - longest.without),
        atMost: 5,
      }),
    ];
  });
}

/** Calls in turns with and without a shadow that gets a copy of every one, at a candidate as quick as the active version. */
function shadowCost(): Promise<BenchResult[]> {
  return withStation(['1.0.0', '2.0.0'], async ({ registry, supervise }) => {
    await registry.activate({ name: 'sample', version: '1.0.0', pids: ['A'] });
    const supervisor = supervise();
    await supervisor.start('sample', '2.0.0'); // stands in both turns: no turn pays for its start
    const costs = async (calls: number) => {
      const samples: number[] = [];
      for (let call = 0; call < calls; call++) {
        const { totalMs, callMs } = (await supervisor.execute({ pid: 'A', stepIndex: 1, image })).timing;
        samples.push(totalMs - callMs);
      }
      return median(samples);
    };
    await costs(300);
    const extra: number[] = [];
    for (let round = 0; round < 15; round++) {
      const without = await costs(100);
      const shadow = await supervisor.shadow({ name: 'sample', version: '2.0.0' });
      const with_ = await costs(100);
      await shadow.stop();
      extra.push(with_ - without);
    }
    return [
      figure({
        name: 'cost of a call in the host, more by a shadow of every call',
        unit: 'ms',
        samples: extra,
        value: median(extra),
        atMost: 0.1,
      }),
    ];
  });
}

export const cases: BenchCase[] = [
  { name: 'supervisor call', run: callCost },
  { name: 'supervisor whole call', run: wholeCallCost },
  { name: 'supervisor idle', heavy: true, run: idleHost },
  { name: 'supervisor throughput', heavy: true, run: throughput },
  { name: 'supervisor pipelining', run: pipelining },
  { name: 'supervisor exit', run: exitNoticed },
  { name: 'supervisor hang', run: hangNoticed },
  { name: 'supervisor switch', run: switchDelay },
  { name: 'supervisor shadow', run: shadowCost },
];
