/** The process that is killed while it fetches a package: follows a plan, and prints which steps it took. */
import { PackageFetcher } from '../../src/fleet/bytes/package-fetcher.js';
import { Registry } from '../../src/registry/registry.js';
import type { FileStepPlan } from '../../src/testing/file-steps/types.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';

const [, , store = '', source = '', digest = '', plan = ''] = process.argv;
const registry = await Registry.open(store, { durability: 'none', pollMs: 60_000 });
const fetcher = new PackageFetcher({ registry, sources: [source], attempts: 1 });
const watch = watchFileSteps(store, JSON.parse(plan) as FileStepPlan);
const work = async () => {
  const fetched = await fetcher.fetch({ name: 'sample', version: '2.0.0', digest });
  await fetched.release();
};
const failure: unknown = await work().then(
  () => undefined,
  (error: unknown) => error,
);
await registry.close();
const { code, message } = (failure ?? {}) as { code?: string; message?: string };
process.stdout.write(JSON.stringify({ steps: watch.count, code, message }));
