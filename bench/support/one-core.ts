import { spawnSync } from 'node:child_process';
import os from 'node:os';

/**
 * Holds this process, and all it starts meanwhile, on one core where the system has `taskset`. For round trips of some
 * 30 µs: waking another core costs more than the whole trip, so that on several cores the figures tell where the
 * scheduler happened to put each process, and change fourfold from run to run.
 */
export function onOneCore(): Disposable {
  const pin = (cores: string) =>
    spawnSync('taskset', ['--all-tasks', '--pid', '--cpu-list', cores, String(process.pid)]);
  pin('0');
  return { [Symbol.dispose]: () => void pin(`0-${os.cpus().length - 1}`) };
}
