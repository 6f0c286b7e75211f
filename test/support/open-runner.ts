import path from 'node:path';
import { onTestFinished } from 'vitest';
import { openRunner, type Runner, type RunnerOptions } from '../../src/index.js';
import { patient } from './patient.js';
import { temporaryFolder } from './temp-folder.js';

/** A runner over a store of its own that does not wait for the disk; closed when the test ends. */
export async function temporaryRunner(o: RunnerOptions = {}): Promise<{ runner: Runner; folder: string }> {
  const folder = await temporaryFolder();
  const runner = await openRunner(path.join(folder, 'station'), {
    registry: { durability: 'none' },
    ...o,
    supervisor: { ...o.supervisor, policy: patient(o.supervisor?.policy) },
  });
  onTestFinished(() => runner.close());
  return { runner, folder };
}
