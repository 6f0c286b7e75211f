import path from 'node:path';
import { onTestFinished } from 'vitest';
import { openRunner, type Runner, type RunnerOptions } from '../../src/index.js';
import { temporaryFolder } from './temp-folder.js';

/** A runner over a store of its own that does not wait for the disk; closed when the test ends. */
export async function temporaryRunner(o: RunnerOptions = {}): Promise<{ runner: Runner; folder: string }> {
  const folder = await temporaryFolder();
  const runner = await openRunner(path.join(folder, 'station'), { registry: { durability: 'none' }, ...o });
  onTestFinished(() => runner.close());
  return { runner, folder };
}
