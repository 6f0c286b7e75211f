import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { RegistryEntry } from 'procvision-runner';
import { usage } from '../host.js';
import type { Call } from '../spec.js';
import { findFile, isStore, withRunner } from '../store.js';
import { Progress } from '../terminal/progress.js';

export async function run(call: Call): Promise<undefined> {
  const { words, options, out, signal, operator, host } = call;
  const { activate, force } = options as { activate?: string | true; force?: boolean };
  const ids = typeof activate === 'string' ? activate.split(',').filter((id) => id !== '') : activate;
  if (Array.isArray(ids) && ids.length === 0) {
    throw usage(
      `--activate takes product ids such as A,B, not '${String(activate)}'; without a value it takes all`,
    );
  }
  const sources: (string | Readable)[] = [];
  for (const word of words)
    sources.push(word === '-' ? Readable.from(host.stdin) : await findFile(call, word, 'package'));
  await checkFirst(call, sources);
  await withRunner(
    call,
    async (runner) => {
      const progress = new Progress(host).follow(runner.deployer);
      const fresh = new Set<string>();
      runner.deployer.on('installed', ({ entry }) => fresh.add(titleOf(entry)));
      const done: { entry: RegistryEntry; installed: boolean; product_ids: string[] }[] = [];
      try {
        for (const source of sources) {
          const entry = await runner.ensureInstalled(source, { activate: ids, force, operator, signal });
          const active = Object.values(await runner.registry.active());
          const mine = active.filter(({ name, version }) => name === entry.name && version === entry.version);
          done.push({ entry, installed: fresh.has(titleOf(entry)), product_ids: mine.map(({ pid }) => pid) });
        }
      } catch (error) {
        for (const title of fresh) out.warn(`${title} was deployed before the failure, and stays`);
        throw error;
      } finally {
        progress.end();
      }
      out.result(done.length === 1 ? done[0] : done, () =>
        done
          .map(({ entry, installed, product_ids: served }) => {
            const what = installed ? 'is deployed' : 'was deployed already, from these very bytes';
            return `${titleOf(entry)} ${what}${served.length > 0 ? `, and serves ${served.join(', ')}` : ''}`;
          })
          .join('\n'),
      );
    },
    { make: true },
  );
  return undefined;
}

/** A store is not made for what is no package. */
async function checkFirst({ root, signal }: Call, sources: readonly (string | Readable)[]): Promise<void> {
  if (await isStore(root)) return;
  const { PackageValidator } = await import('procvision-runner');
  const validator = new PackageValidator();
  for (const source of sources) {
    if (typeof source !== 'string') continue;
    if ((await stat(source)).isFile()) await validator.inspect(source, { signal });
  }
}

function titleOf({ name, version }: RegistryEntry): string {
  return `${name} ${version}`;
}
