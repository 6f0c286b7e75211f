import { agreed } from '../terminal/ask.js';
import type { Call } from '../spec.js';
import { findVersions, withRunner } from '../store.js';
import { formatBytes, Progress } from '../terminal/progress.js';

export async function run(call: Call): Promise<number | undefined> {
  const { out, operator, signal, words, options } = call;
  const [name] = words;
  const dryRun = options.dryRun === true;
  const retention = {
    keep: options.keep as number,
    action: options.archive ? ('archive' as const) : ('delete' as const),
  };
  return withRunner(
    call,
    async ({ registry, deployer }) => {
      if (name !== undefined) await findVersions(registry, name);
      const planned = await deployer.prune({ name, dryRun: true, signal });
      const titles = planned.pruned.map((one) => `${one.name} ${one.version}`);
      if (!dryRun && titles.length > 0 && !(await agreed(call, `Remove ${titles.join(', ')}?`))) return 1;
      const progress = new Progress(call.host).follow(deployer);
      const report = dryRun ? planned : await deployer.prune({ name, operator, signal });
      progress.end();
      const rows = [
        ...report.pruned.map((one) => ({
          ...{ name: one.name, version: one.version },
          what: `${dryRun ? 'would be ' : ''}${one.action === 'archive' ? 'archived' : 'removed'}`,
          size: formatBytes(one.freedBytes),
        })),
        ...report.kept.map((one) => ({ name: one.name, version: one.version, what: `stays: ${one.reason}` })),
      ];
      out.table(report, rows, 'Nothing to remove');
      return undefined;
    },
    { deployer: { retention } },
  );
}
