/** How soon an operator's order is in force: a rollback to a version that runs, beside a switch to one that does not. */
import path from 'node:path';
import type { BenchCase } from '../harness/case.js';
import { median, percentile, timed } from '../harness/statistics.js';
import { openStation, SMALL_IMAGE } from '../support/station.js';

const ORDERS = 40;

const rollback: BenchCase = {
  name: 'supervisor/rollback',
  measures:
    'From the order to the first answer of the other version, while two other product ids keep calling the version that is left: a rollback to a version that runs, and a switch to a version that does not. The store waits for the disk',
  figures: { p50: { unit: 'ms' }, p99: { unit: 'ms' } },
  bars: [{ figure: 'p99', contestant: 'ours, rollback', atMost: 20 }],
  rounds: 5,
  limitSeconds: 600,
  async open(context) {
    const station = await openStation(context, ['1.0.0', '2.0.0', '3.0.0']);
    await station.registry.close();
    const { main } = context.library;
    const registry = await main.Registry.open(path.join(context.folder, 'station'));
    const supervisor = new main.AlgorithmSupervisor({ registry });
    context.onClose(async () => {
      await supervisor.close();
      await registry.close();
    });
    const to = (version: string, pids: string[]) => ({ name: 'sample', version, pids });
    const call = (pid: string) => supervisor.execute({ pid, stepIndex: 1, image: SMALL_IMAGE });
    // A and its neighbours K1 and K2 are at 2.0.0; 1.0.0, where A came from, serves K3 and so runs on.
    await registry.activate(to('1.0.0', ['K3']));
    await registry.activate(to('2.0.0', ['A', 'K1', 'K2']));
    for (const pid of ['A', 'K1', 'K2', 'K3']) await call(pid);
    const moved = async (version: string) => {
      await supervisor.switch(to(version, ['A']));
      await answered(version);
    };
    const answered = async (version: string) => {
      const result = await call('A');
      if (result.version !== version) throw new Error(`A is served by ${result.version}, not by ${version}`);
    };
    /** One order after the other, each from 2.0.0, with K1 and K2 calling 2.0.0 all the time. */
    const measure = async (
      orders: number,
      one: { before: string; version: string; order: () => Promise<void> },
    ) => {
      const state = { isOver: false };
      const busy = ['K1', 'K2'].map(async (pid) => {
        while (!state.isOver) await call(pid);
      });
      const times: number[] = [];
      try {
        for (let n = 0; n < orders; n++) {
          await moved(one.before);
          await moved('2.0.0');
          await supervisor.stop('sample', '3.0.0');
          const work = async () => {
            await one.order();
            await answered(one.version);
          };
          times.push(await timed(work));
        }
      } finally {
        state.isOver = true;
        await Promise.all(busy);
      }
      return { p50: median(times), p99: percentile(times, 0.99) };
    };
    const back = () => supervisor.rollback({ pid: 'A' });
    const cold = () => supervisor.switch(to('3.0.0', ['A']));
    return {
      'ours, rollback': () => ({
        round: () => measure(context.quick ? 5 : ORDERS, { before: '1.0.0', version: '1.0.0', order: back }),
      }),
      'ours, switch to a cold version': () => ({
        round: () => measure(context.quick ? 2 : 8, { before: '1.0.0', version: '3.0.0', order: cold }),
      }),
    };
  },
};

export const cases: BenchCase[] = [rollback];
