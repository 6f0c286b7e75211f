import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { FramePool } from '../../src/frames/frame-pool.js';
import { slotBytes } from '../../src/frames/slot.js';
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { deployVersion } from '../support/deployed-version.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { reportSoak } from '../support/soak-report.js';

const CALLS = Number(process.env.SOAK_FRAMES ?? 500);
const AT_ONCE = 10;
const WORKERS = 4;
const shape = { height: 16, width: 16, channels: 3 as const };
const target = { name: 'sample', version: '1.0.0' };

/**
 * Says what it saw, and leaves a note of every pixel that is not of its own call, also when nobody hears its answer any
 * more. It takes its time before it reads, and will not be ended by SIGTERM: a slot that is given to another call too
 * early is seen.
 */
const WITNESS = `import os, signal, struct, time
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}

    def pre_execute(self, *args):
        return self.execute(*args)

    def look(self, shared_mem_id, image_meta, asked):
        data = bytes(read_image_from_shared_memory(shared_mem_id, image_meta))
        seen = sorted(set(struct.unpack("<%dI" % (len(data) // 4), data)))
        if seen != [asked["n"]]:
            with open(os.path.join(asked["notes"], "%d.txt" % os.getpid()), "a") as file:
                file.write("call %d saw %s\\n" % (asked["n"], seen[:5]))
        return seen[:5]

    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        asked = user_params
        seen = self.look(shared_mem_id, image_meta, asked)
        if "late_once" in asked and not os.path.exists(asked["late_once"]):
            open(asked["late_once"], "w").close()
            asked["late_ms"] = 1200
        if "late_ms" in asked:
            time.sleep(asked["late_ms"] / 1000)
            self.look(shared_mem_id, image_meta, asked)
        if "exit" in asked:
            os._exit(9)
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": {"seen": seen}}}
`;

/** What goes wrong with a call, every hundredth of a kind, and the codes it may then end with. */
interface Plan {
  userParams: Record<string, unknown>;
  timeoutMs: number;
  abortAfterMs?: number;
  mayFailWith: string[];
}

function planOf(n: number, notes: string): Plan {
  const plan: Plan = { userParams: { n, notes }, timeoutMs: 60_000, mayFailWith: [] };
  const ask = (more: Record<string, unknown>) => Object.assign(plan.userParams, more);
  switch (n % 400) {
    case 50: // nobody waits for it any longer when it reads
      ask({ late_ms: 150 });
      return { ...plan, timeoutMs: 60, mayFailWith: ['timeout'] };
    case 130:
      ask({ late_ms: 150 });
      return { ...plan, abortAfterMs: 30, mayFailWith: ['aborted'] };
    case 210:
      return { ...plan, abortAfterMs: 0, mayFailWith: ['aborted'] };
    case 290: // each attempt ends its worker
      ask({ exit: true });
      return { ...plan, mayFailWith: ['worker_exited'] };
    case 370: // the first attempt is too late, the next one is made while the first still runs
      ask({ late_once: path.join(notes, `late-${n}`) });
      return plan;
    default:
      return plan;
  }
}

test.runIf(process.platform === 'linux').each(['sdk', 'bundled'] as const)(
  `${CALLS} calls at "%s" workers, with timeouts, aborts, crashes and retries: none sees the pixels of another`,
  { timeout: 60_000 + CALLS * 100 },
  async (flavour) => {
    const notes = await temporaryFolder();
    const registry = await Registry.open(await temporaryFolder(), { durability: 'none' });
    await deployVersion(registry, { source: WITNESS });
    // Few slots, so that each is soon used again.
    const frames = new FramePool({ maxBytes: (2 * WORKERS + 4) * slotBytes(shape) });
    const policy = {
      ...{ workers: WORKERS, retries: 2, attemptTimeoutMs: 1_000 },
      ...{ maxCrashes: 1_000_000, maxRestarts: 1_000_000, backoffMs: 1 },
    };
    const supervisor = new AlgorithmSupervisor({ registry, frames, worker: flavour, policy });
    onTestFinished(async () => {
      await supervisor.close();
      await frames.close();
      await registry.close();
    });
    await supervisor.start('sample', '1.0.0');
    const faults: string[] = [];
    const ends = new Map<string, number>();
    const call = async (n: number): Promise<string> => {
      const { userParams, timeoutMs, abortAfterMs, mayFailWith } = planOf(n, notes);
      const image = { data: new Uint8Array(new Uint32Array((16 * 16 * 3) / 4).fill(n).buffer), ...shape };
      const controller = new AbortController();
      const timer =
        abortAfterMs === undefined
          ? undefined
          : setTimeout(() => {
              controller.abort();
            }, abortAfterMs);
      try {
        const request = { target, stepIndex: 1, image, userParams, timeoutMs };
        const { status, data } = await supervisor.execute(request, { signal: controller.signal });
        const { seen } = data.debug as { seen: number[] };
        if (status !== 'OK' || seen.length !== 1 || seen[0] !== n)
          faults.push(`${n}: ${status}, ${String(seen)}`);
        return 'OK';
      } catch (error) {
        const code = RunnerError.is(error) ? error.code : String(error);
        if (!mayFailWith.includes(code)) faults.push(`${n}: ${String(error)}`);
        return code;
      } finally {
        clearTimeout(timer);
      }
    };
    let next = 0;
    const caller = async () => {
      for (let n = next++; n < CALLS; n = next++) {
        const end = await call(n);
        ends.set(end, (ends.get(end) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, caller));
    await supervisor.close();
    for (const name of (await readdir(notes)).filter((name) => name.endsWith('.txt'))) {
      faults.push(...(await readFile(path.join(notes, name), 'utf8')).trim().split('\n'));
    }
    reportSoak('SOAK_FRAMES', `pixels, ${flavour}`, Object.fromEntries(ends));
    expect(faults).toEqual([]);
    for (const code of ['OK', 'timeout', 'aborted', 'worker_exited'])
      expect(ends.get(code)).toBeGreaterThan(0);
    const { slots, idle } = await frames.usage();
    expect(idle).toBe(slots);
  },
);
