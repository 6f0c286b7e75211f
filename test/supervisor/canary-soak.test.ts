import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { deployVersion } from '../support/deployed-version.js';
import { patient } from '../support/patient.js';
import { IS_WINE } from '../support/platform.js';
import { reportSoak } from '../support/soak-report.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const ORDERS = Number(process.env.SOAK_SWITCHES ?? 4);
const CALLS_PER_ORDER = 120;
const CALLS = ORDERS * CALLS_PER_ORDER;
const CALLERS = 4;
/** Each so many calls dies, once: at whichever version it comes to. Under Wine the start that follows takes many seconds. */
const DYING = IS_WINE ? 97 : 23;

test(
  `${ORDERS} orders with shares under ${CALLS} calls: none is lost, and each is answered once, by one version`,
  { timeout: 60_000 + ORDERS * (IS_WINE ? 60_000 : 15_000) },
  async () => {
    const folder = await temporaryFolder();
    await using registry = await Registry.open(path.join(folder, 'store'), { durability: 'none' });
    for (const version of ['1', '2']) {
      await deployVersion(registry, { version, source: steeredAlgorithm(), productIds: ['A'] });
    }
    await registry.activate({ name: 'sample', version: '1', productIds: ['A'] });
    await using frames = new FramePool();
    await using supervisor = new AlgorithmSupervisor({
      ...{ registry, frames },
      policy: patient({ executeTimeoutMs: 60_000, maxCrashes: 1_000, backoffMs: 1, maxBackoffMs: 1 }),
    });
    const log = path.join(folder, 'calls');
    const answers = new Map<number, { version: string; attempts: number; fellBack: boolean }[]>();
    const faults: string[] = [];
    const ends = { switched: 0, takenBack: 0 };
    supervisor.on('switched', () => ends.switched++);
    supervisor.on('canary', ({ share }) => (ends.takenBack += share === 0 ? 1 : 0));
    const probation = {
      calls: 20,
      minCalls: 1,
      maxCrashes: 1_000,
      maxErrorRate: 1,
      maxLatencyRatio: Infinity,
    };
    const orders = [
      (version: string) =>
        supervisor.switch({ name: 'sample', version, productIds: ['A'], share: 0.3, probation }),
      () => supervisor.rollback({ productId: 'A' }),
      (version: string) =>
        supervisor.switch({ name: 'sample', version, productIds: ['A'], share: 0.1, probation }),
      (version: string) => supervisor.switch({ name: 'sample', version, productIds: ['A'] }),
    ];
    let made = 0;
    const order = async () => {
      const { A } = await registry.active();
      await orders[made++ % orders.length]?.(A?.version === '1' ? '2' : '1').catch((error: unknown) => {
        const { code, message } = error as { code?: string; message: string };
        if (code !== 'not_found') faults.push(`order ${made}: ${message}`); // no version before the first
      });
    };
    let ordering: Promise<void> = Promise.resolve();
    let next = 0;
    const caller = async () => {
      for (let n = next++; n < CALLS; n = next++) {
        if (n % CALLS_PER_ORDER === 0) ordering = ordering.then(order);
        const dies = n % DYING === 0 ? { exit_once: path.join(folder, `died-${n}`) } : {};
        try {
          const { data, version, attempts, fellBackFrom } = await supervisor.execute({
            ...{ productId: 'A', stepIndex: 1 },
            image: { data: new Uint8Array(8 * 8 * 3).fill(n % 251), width: 8, height: 8 },
            userParams: { echo: n, log, ...dies },
            ...(n % 5 === 0 && { session: { id: `board ${n}` } }),
          });
          const { echo, first } = data.debug as { echo: number; first: number[] };
          if (echo !== n || first[0] !== n % 251) faults.push(`call ${n} got the answer of call ${echo}`);
          const known = answers.get(n) ?? [];
          answers.set(n, [...known, { version, attempts, fellBack: fellBackFrom !== undefined }]);
        } catch (error) {
          faults.push(`call ${n}: ${(error as Error).message}`);
        }
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    await ordering;
    await supervisor.close();
    expect(faults).toEqual([]);
    expect(answers.size).toBe(CALLS);
    expect([...answers.values()].every(({ length }) => length === 1)).toBe(true);
    // What workers have done is what was asked for: once, and once more for a worker that died with it.
    const done = new Map<number, number>();
    for (const line of (await readFile(log, 'utf8')).trim().split('\n')) {
      const n = Number(line.split(' ')[1]);
      done.set(n, (done.get(n) ?? 0) + 1);
    }
    for (const [n, [answer]] of answers) expect(done.get(n), `call ${n}`).toBe(answer?.attempts);
    const all = [...answers.values()].flat();
    const counts = {
      ...{ calls: CALLS, orders: made, ...ends, fellBack: all.filter(({ fellBack }) => fellBack).length },
      ...{ old: all.filter(({ version }) => version === '1').length },
      ...{ young: all.filter(({ version }) => version === '2').length },
    };
    reportSoak('SOAK_SWITCHES', 'canary soak', counts);
    expect(counts.old * counts.young).toBeGreaterThan(0);
    if (ORDERS >= 50) expect(counts.fellBack).toBeGreaterThan(0);
    const { slots, idle } = await frames.usage();
    expect(idle).toBe(slots);
  },
);
