import { expect, test, vi } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { deployVersion } from '../support/deployed-version.js';
import { holdings } from '../support/leaks.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const CALLS = Number(process.env.SOAK_CALLS ?? 1_000);
const CALLS_PER_KILL = 250;
const AT_ONCE = 8;

test.runIf(process.platform === 'linux')(
  `${CALLS} calls over four workers, one killed each ${CALLS_PER_KILL}: each is answered once, by its own result, and nothing leaks`,
  { timeout: 60_000 + CALLS * 20 },
  async () => {
    const root = await temporaryFolder();
    // Once beforehand, so that what is loaded when first used is not taken for a leak.
    await soak(root, AT_ONCE * 4, []);
    const before = holdings();
    const answered = new Uint8Array(CALLS);
    const faults: string[] = [];
    const outcome = await soak(root, CALLS, faults, (n) => {
      answered[n] = (answered[n] ?? 0) + 1;
    });
    expect(faults).toEqual([]);
    expect(answered.every((times) => times === 1)).toBe(true);
    expect(outcome.results).toBe(CALLS);
    expect(outcome.kills).toBe(Math.floor((CALLS - 1) / CALLS_PER_KILL));
    expect(outcome.exits).toBeGreaterThanOrEqual(outcome.kills + 4);
    expect(outcome.slotsInUse).toBe(0);
    expect(holdings()).toEqual(before);
  },
);

async function soak(
  root: string,
  calls: number,
  faults: string[],
  onAnswer: (n: number) => void = () => undefined,
): Promise<{ kills: number; exits: number; results: number; slotsInUse: number }> {
  await using registry = await Registry.open(root, { durability: 'none' });
  if (!(await registry.get('sample', '1.0.0'))) await deployVersion(registry, { source: steeredAlgorithm() });
  await using frames = new FramePool();
  await using supervisor = new AlgorithmSupervisor({
    registry,
    frames,
    policy: {
      workers: 4,
      maxCrashes: 1_000_000,
      maxRestarts: 1_000_000,
      retries: 5,
      executeTimeoutMs: 60_000,
    },
  });
  const target = { name: 'sample', version: '1.0.0' };
  await supervisor.start('sample', '1.0.0');
  let next = 0;
  let kills = 0;
  let exits = 0;
  let results = 0;
  supervisor.on('exit', () => exits++);
  supervisor.on('result', () => results++);
  const caller = async () => {
    for (let n = next++; n < calls; n = next++) {
      if (n > 0 && n % CALLS_PER_KILL === 0) {
        killOne(supervisor);
        kills++;
      }
      const data = new Uint8Array(8 * 8 * 3).fill(n % 251);
      try {
        const result = await supervisor.execute({
          target,
          stepIndex: 1,
          image: { data, width: 8, height: 8 },
          userParams: { echo: n },
        });
        const { echo, first } = result.data.debug as { echo: number; first: number[] };
        if (result.status !== 'OK' || echo !== n || first[0] !== n % 251) {
          faults.push(`call ${n} got the answer of call ${echo} on an image of ${String(first[0])}`);
        }
        onAnswer(n);
      } catch (error) {
        faults.push(`call ${n}: ${(error as Error).message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  // A slot that a killed worker was given up with rests until what that had started was looked for.
  const slotsInUse = async () => {
    const { slots, idle } = await frames.usage();
    return slots - idle;
  };
  await vi.waitFor(async () => expect(await slotsInUse()).toBe(0), { timeout: 5_000 }).catch(() => undefined);
  const inUse = await slotsInUse();
  await supervisor.close();
  return { kills, exits, results, slotsInUse: inUse };
}

function killOne(supervisor: AlgorithmSupervisor): void {
  const alive = supervisor
    .status()
    .flatMap(({ workers }) => workers.filter(({ processId: pid }) => pid !== undefined));
  const victim = alive[Math.floor(Math.random() * alive.length)];
  if (victim?.processId === undefined) throw new Error('no worker is alive to be killed');
  process.kill(victim.processId, 'SIGKILL');
}
