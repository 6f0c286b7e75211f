import { expect, onTestFinished } from 'vitest';
import { PoolUpkeep, type PoolOptions } from '../../src/supervisor/pool/pool-upkeep.js';
import { RestartPolicy } from '../../src/supervisor/pool/restart-policy.js';
import type { PoolEvent, PoolEventFacts } from '../../src/supervisor/pool/worker-launcher.js';
import type { WorkerSlot } from '../../src/supervisor/pool/worker-slot.js';
import { resolvePolicy, type SupervisorPolicy } from '../../src/supervisor/policy.js';
import { FakeWorker, VirtualClock, type FakeProcess } from '../../src/testing/index.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import type { ForkServer } from '../../src/worker/fork-server.js';

/** How the upkeep of a test is set up. */
export interface UpkeepSource {
  workers?: number;
  policy?: Partial<SupervisorPolicy>;
  /** Runs at the start of each process. */
  start?: (process: FakeProcess) => void | Promise<void>;
  /** Whether its workers count as forked. */
  isForked?: boolean;
  /** Runs when a worker has taken a place. */
  seated?: (slot: WorkerSlot) => void;
}

/** What is noted of an event. */
const WORDS: { readonly [Name in PoolEvent]?: (facts: PoolEventFacts<Name>) => unknown[] } = {
  ready: ({ worker }) => ['ready', worker],
  exit: ({ worker, error, reason }) => ['exit', worker, error?.code ?? reason],
  restart: ({ worker, attempt, delayMs, reason }) => ['restart', worker, attempt, delayMs, reason],
  recycled: ({ worker }) => ['recycled', worker],
  error: ({ worker, error }) => ['failure', worker, error.code],
  circuitOpen: ({ reason, coolDownMs, error }) => ['circuitOpen', reason, coolDownMs, error.code],
  circuitClosed: () => ['circuitClosed'],
};

/** The upkeep of a pool of scripted workers in a time that stands still, and all that it tells, a line each. */
export async function upkeepOf({
  workers = 1,
  policy: given = {},
  start,
  isForked = false,
  seated,
}: UpkeepSource = {}) {
  const fake = new FakeWorker({
    start: async (process) => {
      await start?.(process);
      process.hello();
    },
  });
  const spec = await fake.spec();
  const clock = new VirtualClock();
  const policy = { ...resolvePolicy({ backoffJitter: 0, ...given }) };
  const restarts = new RestartPolicy(policy, () => clock.random());
  const told: string[] = [];
  const tell = (...words: unknown[]) => void told.push(words.map(String).join(' '));
  /** `made`: workers, started or not; `refused`: starts that found no process to tell of them. */
  const state = { changes: 0, made: 0, refused: 0, isBroken: false };
  /** Of a worker that counts as forked; its process is started as any other. */
  const source: unknown = { isGone: false };
  const options: PoolOptions = {
    ...{ title: 'sample 1.0.0', workers, policy, restarts, clock },
    make: (server) => {
      state.made++;
      const env = {
        get SECRET(): string {
          state.refused++;
          throw new TypeError('the vault is shut');
        },
      };
      return new AlgorithmWorker(
        state.isBroken ? { ...spec, env } : spec,
        policy.limits,
        (delayMs, run) => clock.after(delayMs, run),
        server,
      );
    },
    warmStart: {
      server: isForked ? (source as ForkServer) : undefined,
      doubted: (reason) => tell('doubted', reason),
      started: () => undefined,
      renew: () => tell('renew'),
    },
    tell: (event, facts) => {
      const words = WORDS[event]?.(facts);
      if (words) tell(...words);
    },
    changed: () => state.changes++,
  };
  const upkeep = new PoolUpkeep({
    ...options,
    seated: (slot) => {
      tell('seated', slot.index);
      seated?.(slot);
    },
    opened: (error) => tell('opened', error.code),
  });
  onTestFinished(async () => {
    await upkeep.stop('the test is over');
    await fake.close();
  });
  /** Resolves when this has been told so often. */
  const until = (line: string, times = 1) =>
    expect.poll(() => told.filter((one) => one === line).length, { interval: 5 }).toBe(times);
  const at = (index: number): WorkerSlot => {
    const slot = upkeep.slots[index];
    if (!slot) throw new Error(`there is no place ${index}`);
    return slot;
  };
  /** Kills the worker of a place; resolves when that has been told. */
  const crash = async (index: number) => {
    const line = `exit ${index} worker_exited`;
    const times = told.filter((one) => one === line).length;
    process.kill(at(index).worker?.processId ?? 0, 'SIGKILL');
    await until(line, times + 1);
  };
  return { upkeep, options, fake, clock, policy, restarts, told, state, until, at, crash };
}

/** Starts that wait, each until its gate is opened. */
export function gates() {
  const waiting = new Map<number, (error?: Error) => void>();
  const isShut = { now: false };
  return {
    isShut,
    start: (process: FakeProcess) =>
      isShut.now
        ? new Promise<void>((resolve, reject) => {
            waiting.set(process.index, (error) => {
              if (error) reject(error);
              else resolve();
            });
          })
        : undefined,
    /** Resolves when the process has come, and lets it go on, or fail. */
    open: async (index: number, error?: Error) => {
      await expect.poll(() => waiting.has(index), { interval: 5 }).toBe(true);
      waiting.get(index)?.(error);
    },
    come: (index: number) => expect.poll(() => waiting.has(index), { interval: 5 }).toBe(true),
  };
}
