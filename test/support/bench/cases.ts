/** Cases that end in every way: run by the tests of the bench, never by the bench. */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Unavailable, type BenchCase } from '../../../bench/harness/case.js';

const figures = { time: { unit: 'ms' } };
const one = (round: () => Promise<Record<string, number>>) => () => ({ round });
const never = () => new Promise<never>(() => setInterval(() => undefined, 1_000));

export const cases: BenchCase[] = [
  {
    name: 'counts',
    measures: 'How often each contestant had its turn',
    figures,
    bars: [
      { figure: 'time', contestant: 'ours', over: 'comparator', atMost: 0.5 },
      { figure: 'time', contestant: 'ours', atLeast: 100 },
    ],
    open: ({ folder, onClose }) => {
      mkdirSync(path.join(folder, 'left', 'behind'), { recursive: true });
      onClose(() => undefined);
      let turn = 0;
      const contestant = (step: number) => one(() => Promise.resolve({ time: ++turn * step }));
      return Promise.resolve({ ours: contestant(1), comparator: contestant(100) });
    },
  },
  {
    name: 'build',
    measures: 'A figure that the build itself decides',
    figures,
    open: ({ library }) => {
      const { speed } = library.main as unknown as { speed: number };
      return Promise.resolve({
        ours: one(() => Promise.resolve({ time: speed })),
        comparator: one(() => Promise.reject(new Error('nobody asked for it'))),
      });
    },
  },
  {
    name: 'throws',
    measures: 'A contestant that fails beside one that does not',
    figures,
    open: () =>
      Promise.resolve({
        ours: one(() => Promise.reject(new Error('the lamp fell off'))),
        comparator: one(() => Promise.resolve({ time: 1 })),
      }),
  },
  {
    name: 'unavailable',
    measures: 'A contestant that cannot be had here',
    figures,
    open: () =>
      Promise.resolve({
        ours: one(() => Promise.resolve({ time: 1 })),
        peer: () => {
          throw new Unavailable('there is no index here');
        },
      }),
  },
  {
    name: 'dies',
    measures: 'A case whose process ends',
    figures,
    open: () =>
      Promise.resolve({
        ours: one(() => {
          process.stderr.write('out of everything\n', () => process.kill(process.pid, 'SIGKILL'));
          return never();
        }),
        comparator: one(() => Promise.resolve({ time: 1 })),
      }),
  },
  {
    name: 'hangs',
    measures: 'A case that does not end, in a folder of its own',
    figures,
    limitSeconds: 4,
    open: () => {
      writeFileSync(process.env.BENCH_TEST_FOLDER_FILE ?? '', os.tmpdir());
      return Promise.resolve({ ours: one(never) });
    },
  },
  {
    name: 'no-number',
    measures: 'A figure that is not a number, and a figure that is not declared',
    figures,
    open: () =>
      Promise.resolve({
        ours: one(() => Promise.resolve({ time: NaN })),
        comparator: one(() => Promise.resolve({ other: 1 })),
      }),
  },
];
