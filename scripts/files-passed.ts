/**
 * Which files of `src/` a main operation passes: those of which V8's precise coverage says that a function of theirs was
 * called. Each operation runs once before it is counted, so that the loading of modules does not count.
 *
 * `npx tsx scripts/files-passed.ts [--list]`
 */
import { Session } from 'node:inspector/promises';
import { AlgorithmSupervisor, Deployer } from '../src/index.js';
import { TemporaryStore } from '../src/testing/index.js';

const SOURCE = new URL('../src/', import.meta.url).href;

/** The files of which `work` calls a function. */
async function filesOf(session: Session, work: () => Promise<unknown>): Promise<string[]> {
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  await work();
  const { result } = await session.post('Profiler.takePreciseCoverage');
  await session.post('Profiler.stopPreciseCoverage');
  return result
    .filter(({ url }) => url.startsWith(SOURCE))
    .filter(({ functions }) =>
      functions.some(({ functionName, ranges: [range] }) => {
        // The compiler's own function keeps names; the first of all functions is the module.
        return (
          range !== undefined &&
          range.count > 0 &&
          functionName !== '__name' &&
          range !== functions[0]?.ranges[0]
        );
      }),
    )
    .map(({ url }) => url.slice(SOURCE.length).replace(/\?.*/, ''))
    .sort();
}

/** What `install()` of a package and a warm `execute()` pass, in real processes. */
export async function filesPassed(): Promise<{ install: string[]; execute: string[] }> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await using store = await TemporaryStore.open({ durability: 'full' });
  const { registry } = store;
  const deployer = new Deployer({ registry });
  const supervisor = new AlgorithmSupervisor({ registry });
  try {
    await deployer.install(await store.deliver({ version: '1.0.0' }));
    const zip = await store.deliver({ version: '2.0.0' });
    const install = await filesOf(session, () => deployer.install(zip));
    await registry.activate({ name: 'sample', version: '2.0.0', productIds: ['A01'] });
    const image = { data: new Uint8Array(12), width: 2, height: 2 };
    const request = { productId: 'A01', stepIndex: 1, image };
    await supervisor.execute(request);
    const execute = await filesOf(session, () => supervisor.execute(request));
    return { install, execute };
  } finally {
    await supervisor.close();
    await deployer.close();
    session.disconnect();
  }
}

if (process.argv[1]?.endsWith('files-passed.ts')) {
  const passed = await filesPassed();
  for (const [operation, files] of Object.entries(passed)) {
    console.log(`${operation}() passes ${files.length} files`);
    if (process.argv.includes('--list')) console.log(files.map((file) => `  ${file}`).join('\n'));
  }
}
