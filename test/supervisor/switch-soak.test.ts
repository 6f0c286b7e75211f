import { expect, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { deployVersion } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { SwitchDelays } from '../support/switch-delays.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { reportSoak } from '../support/soak-report.js';

const SWITCHES = Number(process.env.SOAK_SWITCHES ?? 8);
const CALLS_PER_SWITCH = 200;
const CALLS = SWITCHES * CALLS_PER_SWITCH;
const CALLERS = 4;

test(
  `${SWITCHES} switches under ${CALLS} calls: none is lost, answered twice, or answered by a version that was not active during it`,
  { timeout: 60_000 + SWITCHES * 6_000 },
  async () => {
    await using registry = await Registry.open(await temporaryFolder(), { durability: 'none' });
    for (const version of ['1', '2']) {
      const source = steeredAlgorithm();
      await deployVersion(registry, { version, source, productIds: ['A', 'K1', 'K2'] });
      // Every second switch is to a version that an id of its own keeps warm, every other one to a cold one.
      if (version === '2') await registry.activate({ name: 'sample', version, productIds: ['K2'] });
    }
    await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
    await using frames = new FramePool();
    await using supervisor = new AlgorithmSupervisor({
      registry,
      frames,
      policy: { executeTimeoutMs: 60_000 },
    });
    await supervisor.execute({
      productId: 'K2',
      stepIndex: 1,
      image: { data: new Uint8Array(3), width: 1, height: 1 },
    });

    const answered = new Uint8Array(CALLS);
    const faults: string[] = [];
    /** From when, and until when, each version may have been active. The last one has no end yet. */
    const periods: { version: string; from: number; until: number }[] = [
      { version: '1', from: 0, until: Infinity },
    ];
    const delays = new SwitchDelays();
    let next = 0;
    let switching: Promise<void> | undefined;
    let switches = 0;
    const switchOnce = async () => {
      const version = switches % 2 === 0 ? '2' : '1';
      const last = periods.at(-1);
      const period = { version, from: performance.now(), until: Infinity };
      periods.push(period);
      const committed = new Promise<void>((resolve) => {
        supervisor.once('switched', () => {
          if (last) last.until = performance.now();
          resolve();
        });
      });
      await supervisor.switch({ name: 'sample', version, productIds: ['A'] });
      await committed;
      if (version === '2') delays.switched(period.from, performance.now()); // the one that is kept warm
      switches++;
    };
    const caller = async () => {
      for (let n = next++; n < CALLS; n = next++) {
        const startedAt = performance.now();
        try {
          const data = new Uint8Array(8 * 8 * 3).fill(n % 251);
          const result = await supervisor.execute({
            productId: 'A',
            stepIndex: 1,
            image: { data, width: 8, height: 8 },
            userParams: { echo: n },
          });
          answered[n] = (answered[n] ?? 0) + 1;
          const { echo, first } = result.data.debug as { echo: number; first: number[] };
          if (echo !== n || first[0] !== n % 251) faults.push(`call ${n} got the answer of call ${echo}`);
          const endedAt = performance.now();
          delays.called(startedAt, endedAt);
          const wasActive = periods.some(
            ({ version, from, until }) => version === result.version && from <= endedAt && until >= startedAt,
          );
          if (!wasActive) faults.push(`call ${n} was answered by ${result.version}, which was not active`);
        } catch (error) {
          faults.push(`call ${n}: ${(error as Error).message}`);
        }
        if (n % CALLS_PER_SWITCH === 0) {
          // One after the other: the next begins when the last has drained.
          switching = (switching ?? Promise.resolve()).then(switchOnce);
        }
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    await switching;
    const delay = delays.summary();
    const lost = answered.filter((times) => times === 0).length;
    const twice = answered.filter((times) => times > 1).length;
    const counts = { calls: CALLS, switches, lost, twice, faults: faults.length };
    reportSoak('SOAK_SWITCHES', 'switch soak', { ...counts, ...delay });
    expect(faults).toEqual([]);
    expect(answered.every((times) => times === 1)).toBe(true);
    expect(switches).toBe(SWITCHES);
    // A promise about time is held in the long run alone, against as many stretches of the same run without a switch.
    if (SWITCHES >= 1_000) expect(delay.medianExtraMs).toBeLessThanOrEqual(5);
    const { slots, idle } = await frames.usage();
    expect(idle).toBe(slots);
  },
);
