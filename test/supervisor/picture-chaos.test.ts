import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { FramePool } from '../../src/frames/frame-pool.js';
import type { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { DAMAGE, type Target } from '../support/picture-damage.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { reportSoak } from '../support/soak-report.js';

/** Of both workers together. */
const CALLS = Number(process.env.CHAOS_CALLS ?? 800);
const shape = { width: 16, height: 16 };
const target = { name: 'sample', version: '1.0.0' };
const kinds = Object.keys(DAMAGE);

/** Answers OK and what it saw: the values of which the picture is made, each of 4 bytes. It takes some time before it looks. */
const WITNESS = `import struct, time
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *args):
        return self.execute(*args)
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        time.sleep(user_params["ms"] / 1000)
        try:
            data = bytes(read_image_from_shared_memory(shared_mem_id, image_meta))
        except Exception:
            data = bytes(16)
        seen = sorted(set(struct.unpack("<%dI" % (len(data) // 4), data)))
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": {"seen": seen[:5]}}}
`;

/** The same numbers for the same seed (mulberry32): a run can be repeated by what it prints. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return Math.floor((((value ^ (value >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** The status, the values that were seen, or the code of a failure. */
async function call(supervisor: AlgorithmSupervisor, n: number, ms: number): Promise<string> {
  const data = new Uint8Array(new Uint32Array((16 * 16 * 3) / 4).fill(n).buffer);
  try {
    const request = { target, stepIndex: 1, image: { data, ...shape }, userParams: { ms } };
    const { status, data: answer, errorCode, proof, attempts } = await supervisor.execute(request);
    if (status === 'ERROR') return `ERROR ${errorCode}`;
    const { seen } = answer.debug as { seen: number[] };
    if (seen.length !== 1 || seen[0] !== n || proof?.images[0]?.method !== 'crc32')
      return `saw ${seen.join()}`;
    return attempts === 1 ? 'right' : 'right at last';
  } catch (error) {
    return RunnerError.is(error) ? error.code : String(error);
  }
}

test.runIf(process.platform === 'linux').each(['sdk', 'bundled'] as const)(
  `${CALLS / 2} calls at a "%s" worker whose frames are damaged in ${kinds.length} ways: no verdict on another picture, and the next call is served`,
  { timeout: 60_000 + CALLS * 100 },
  async (flavour) => {
    const seed = Number(process.env.PROPERTY_SEED);
    const random = randomOf(seed);
    const frames = new FramePool({ directory: await temporaryFolder(), mapped: false });
    const policy = {
      ...{ proof: 'full' as const, retries: 2, executeTimeoutMs: 60_000 },
      ...{ maxCrashes: 1_000_000, maxRestarts: 1_000_000, backoffMs: 1 },
    };
    const { registry, supervisor } = await openSupervised({ frames, worker: flavour, policy });
    onTestFinished(() => frames.close());
    await deployVersion(registry, { source: WITNESS });
    expect(await call(supervisor, 1, 0)).toBe('right');
    const pool = await frames.open();
    const folder = path.join(pool, (await readdir(pool)).find((name) => name.endsWith('sample-1.0.0')) ?? '');
    const place: Target = { pool, folder, file: path.join(folder, 'f1.npy') };
    const ends = new Map<string, number>();
    const faults: string[] = [];
    for (let n = 2; n < CALLS / 2;) {
      const kind = kinds[random(kinds.length)] ?? '';
      const strike = () => {
        try {
          DAMAGE[kind]?.(place, random);
        } catch {
          // what it wanted to damage is being made anew
        }
      };
      const when = ['before', 'during', 'after'][random(3)] ?? '';
      if (when === 'before') strike();
      const answered = call(supervisor, n++, random(3));
      if (when === 'during') {
        const turns = random(12);
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
        strike();
      }
      const end = await answered;
      if (when === 'after') strike();
      ends.set(end, (ends.get(end) ?? 0) + 1);
      if (end.startsWith('saw')) faults.push(`${kind} ${when} call ${n - 1}: ${end}`);
      const next = await call(supervisor, n++, 0);
      if (!next.startsWith('right')) faults.push(`${kind} ${when} call ${n - 2}: the next call: ${next}`);
    }
    reportSoak('CHAOS_CALLS', `pictures, ${flavour}, seed ${seed}`, Object.fromEntries(ends));
    expect(faults).toEqual([]);
    expect(ends.get('right')).toBeGreaterThan(CALLS / 10);
    expect(ends.get('right at last')).toBeGreaterThan(0); // found by the worker, or by the comparison of what it read
  },
);
