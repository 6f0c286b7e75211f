import { agreed } from '../terminal/ask.js';
import type { Call } from '../spec.js';
import { findVersion, withRunner } from '../store.js';
import { formatBytes, Progress } from '../terminal/progress.js';

export async function run(call: Call): Promise<number | undefined> {
  const { out, operator, signal, words, options } = call;
  const [name = '', version = ''] = words;
  const dryRun = options.dryRun === true;
  const force = options.force === true;
  const alsoRollbackTargets = options.alsoRollbackTargets === true;
  return withRunner(call, async ({ registry, deployer }) => {
    const { size_bytes: size } = await findVersion(registry, name, version);
    const asked = { force, alsoRollbackTargets, operator, signal };
    // Whether it may go at all, before anybody is asked.
    await deployer.uninstall(name, version, { ...asked, dryRun: true });
    const bytes = size === undefined ? '' : ` (${formatBytes(size)})`;
    if (!dryRun) {
      if (!(await agreed(call, `Remove ${name} ${version}${bytes}?`))) return 1;
      const progress = new Progress(call.host).follow(deployer);
      try {
        await deployer.uninstall(name, version, asked);
      } finally {
        progress.end();
      }
    }
    const what = dryRun ? 'would be removed' : 'was removed';
    out.result({ name, version, removed: !dryRun, size_bytes: size }, `${name} ${version}${bytes} ${what}`);
    return undefined;
  });
}
