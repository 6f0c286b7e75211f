import path from 'node:path';
import type { Call } from '../spec.js';
import { withRunner } from '../store.js';
import { untilInterrupted } from '../terminal/wait.js';

export async function run(call: Call): Promise<undefined> {
  const { out, options, operator } = call;
  await withRunner(
    call,
    async ({ registry, deployer }) => {
      deployer.on('discovered', (found) => {
        const { name = '?', version = '?', state } = found;
        out.line(
          { event: 'discovered', ...found },
          `found      ${path.basename(found.path)}: ${name} ${version}, ${state}`,
        );
      });
      deployer.on('installed', ({ entry }) => {
        out.line({ event: 'installed', entry }, `installed  ${entry.name} ${entry.version}`);
      });
      deployer.on('invalid', ({ path: file = '', error }) => {
        out.line(
          { event: 'invalid', path: file, error },
          `refused    ${path.basename(file)}: ${error.message}`,
        );
      });
      deployer.on('error', ({ error }) => {
        out.line({ event: 'error', error }, `failed     ${error.message}`);
      });
      const watch = deployer.watch({
        ...{ intervalMs: options.interval as number, install: options.install !== false, operator },
      });
      await untilInterrupted(call, `Watching ${registry.layout.zips} until Ctrl-C`);
      await watch.close();
    },
    { make: true },
  );
  return undefined;
}
