/** What a cold `import` and a cold `require` of the main entry cost, over a Node that does nothing. */
import { spawnSync } from 'node:child_process';
import { figure, median, type BenchCase } from '../harness.js';
import { builtFile } from '../support/built.js';

const ROUNDS = 21;
const LIMIT_MS = 40;

const module = (code: string) => ['--input-type=module', '--eval', code];

/** Wall time of a Node from its start to its end. */
function timeNode(args: string[]): number {
  const startedAt = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - startedAt;
}

/** In turn with an empty start, so that a noisy moment hits both. */
function timeOverEmpty(args: string[], empty: string[]): number[] {
  const loaded: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const times = [timeNode(args), timeNode(empty)] as const;
    if (round === 0) continue; // the first reads the files from the disk
    loaded.push(times[0]);
    bare.push(times[1]);
  }
  const base = median(bare);
  return loaded.map((time) => time - base);
}

export const cases: BenchCase[] = [
  {
    name: 'import of the main entry',
    run: () => {
      const imported = timeOverEmpty(module(`import ${JSON.stringify(builtFile('index.js'))}`), module('0'));
      const required = timeOverEmpty(
        ['--eval', `require(${JSON.stringify(builtFile('index.cjs'))})`],
        ['--eval', '0'],
      );
      const limit = { unit: 'ms', atMost: LIMIT_MS };
      return Promise.resolve([
        figure({ name: 'import of the main entry, cold', samples: imported, ...limit }),
        figure({ name: 'require of the main entry, cold', samples: required, ...limit }),
      ]);
    },
  },
];
