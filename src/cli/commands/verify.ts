import type { DriftReport } from 'procvision-runner';
import { EXIT } from '../host.js';
import type { Call } from '../spec.js';
import { findVersion, findVersions, withRunner } from '../store.js';
import { Progress } from '../terminal/progress.js';

export async function run(call: Call): Promise<number> {
  const { words, out, signal } = call;
  const [name, version] = words;
  return withRunner(call, async ({ registry, deployer }) => {
    const entries =
      name === undefined
        ? await registry.list()
        : version === undefined
          ? await findVersions(registry, name)
          : [await findVersion(registry, name, version)];
    const progress = new Progress(call.host);
    const reports: DriftReport[] = [];
    for (const entry of entries) {
      progress.count(reports.length, entries.length, `${entry.name} ${entry.version}`);
      reports.push(await deployer.verify(entry.name, entry.version, { signal }));
    }
    progress.end();
    const rows = reports.flatMap((report) => {
      const about = { name: report.name, version: report.version };
      if (report.intact) return [{ ...about, state: 'intact', file: `${report.files} files` }];
      return report.drift.map(({ path, kind }) => ({ ...about, state: kind, file: path }));
    });
    out.table(reports, rows, 'Nothing is deployed');
    return reports.every(({ intact }) => intact) ? EXIT.done : EXIT.failed;
  });
}
