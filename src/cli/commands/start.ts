import type { StartReport } from 'procvision-runner';
import { EXIT, usage } from '../host.js';
import type { Call } from '../spec.js';
import { findVersion, withRunner } from '../store.js';
import { untilInterrupted } from '../terminal/wait.js';
import { formatTime } from '../terminal/progress.js';
import { supervisorOptions } from '../supervisor-options.js';

export async function run(call: Call): Promise<number> {
  const { words, out, options, signal } = call;
  const [name, version] = words;
  if (name !== undefined && version === undefined)
    throw usage(`start takes a name and a version: start ${name} VERSION`);
  return withRunner(
    call,
    async ({ registry, supervisor }) => {
      supervisor.on('log', ({ level, message, ...about }) => {
        out.say(`${about.name} ${about.version}: ${level} ${message}`);
      });
      let report: StartReport;
      if (name === undefined || version === undefined) {
        report = await supervisor.startActive({ atOnce: options.atOnce as number, signal });
      } else {
        await findVersion(registry, name, version);
        const startedAt = performance.now();
        await supervisor.start(name, version, { signal });
        const durationMs = performance.now() - startedAt;
        const workers = supervisor.status()[0]?.workers.length ?? 0;
        report = {
          started: [{ name, version, productIds: [], workers, durationMs }],
          failed: [],
          durationMs,
        };
      }
      for (const { name: failed, version: number, error } of report.failed) {
        out.say(`${out.messageStyle.red('failed:')} ${failed} ${number}: ${error.message}`);
      }
      const rows = report.started.map((one) => ({
        ...{ name: one.name, version: one.version, workers: one.workers, ready: formatTime(one.durationMs) },
        'product ids': one.productIds.join(' ') || undefined,
      }));
      out.table(
        report,
        rows,
        'Nothing was started: no product id is active, or none of its versions can start',
      );
      if (options.once !== true && report.started.length > 0)
        await untilInterrupted(call, 'Running until Ctrl-C');
      return report.failed.length > 0 ? EXIT.failed : EXIT.done;
    },
    { supervisor: supervisorOptions(options) },
  );
}
