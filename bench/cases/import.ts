/** What a cold `import` and a cold `require` of the main entry cost, over a Node that does nothing. */
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import type { BenchCase } from '../harness/case.js';

const EMPTY = 'empty Node';

/** Wall time of a Node from its start to its end. */
function timeNode(args: string[]): number {
  const startedAt = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - startedAt;
}

const importing: BenchCase = {
  name: 'import',
  measures:
    'A Node process that loads the main entry and ends, by import and by require, beside a process that does nothing',
  figures: { import: { unit: 'ms' }, require: { unit: 'ms' } },
  bars: [
    { figure: 'import', contestant: 'ours', minus: EMPTY, atMost: 40 },
    { figure: 'require', contestant: 'ours', minus: EMPTY, atMost: 40 },
  ],
  rounds: 21,
  open({ library }) {
    const contestant = (imported: string, required: string) => () => ({
      round: () =>
        Promise.resolve({
          import: timeNode(['--input-type=module', '--eval', imported]),
          require: timeNode(['--eval', required]),
        }),
    });
    return Promise.resolve({
      ours: contestant(
        `import ${JSON.stringify(pathToFileURL(library.file('index.js')).href)}`,
        `require(${JSON.stringify(library.file('index.cjs'))})`,
      ),
      [EMPTY]: contestant('0', '0'),
    });
  },
};

export const cases: BenchCase[] = [importing];
