/** What the command line costs before it does anything: against a Node that does nothing, in the same run. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { registryEntry } from '../../test/support/registry-entry.js';
import type { BenchCase } from '../harness/case.js';

const VERSIONS = 200;
const ACTIVE = 20;
const EMPTY = 'empty Node';

/** Wall time of a Node from its start to its end. */
function timeNode(args: string[]): number {
  const startedAt = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - startedAt;
}

const starting: BenchCase = {
  name: 'cli/start',
  measures: `procvision-runner --version, and list on a store of ${VERSIONS} versions, each a process from start to end`,
  figures: { version: { unit: 'ms' }, list: { unit: 'ms' } },
  bars: [
    { figure: 'version', contestant: 'ours', over: EMPTY, atMost: 1.5 },
    { figure: 'list', contestant: 'ours', over: EMPTY, atMost: 2 },
  ],
  rounds: 21,
  async open({ library, folder }) {
    const root = path.join(folder, 'store');
    await mkdir(path.join(root, 'algorithms'), { recursive: true });
    const packages = Array.from({ length: VERSIONS }, (_, n) =>
      registryEntry(`package-${n % 20}`, `1.0.${n}`),
    );
    await writeFile(
      path.join(root, 'registry.json'),
      JSON.stringify({ schema_version: 1, packages, active: {} }),
    );
    const program = library.file('cli/bin.cjs');
    const contestant = (version: string[], list: string[]) => () => ({
      round: () => Promise.resolve({ version: timeNode(version), list: timeNode(list) }),
    });
    return {
      ours: contestant([program, '--version'], [program, 'list', '--root', root]),
      [EMPTY]: contestant(['--eval', '0'], ['--eval', '0']),
    };
  },
};

const serving: BenchCase = {
  name: 'cli/serve',
  measures: `serve on a store with ${ACTIVE} active versions that need no model, four at once: until it listens, and until all are started`,
  figures: { listening: { unit: 'ms' }, started: { unit: 'ms' } },
  rounds: 3,
  async open({ library, onClose }) {
    const store = await library.testing.TemporaryStore.open();
    onClose(() => store.close());
    for (let n = 0; n < ACTIVE; n++) {
      const [version, pid] = [`1.0.${n}`, `P${n}`];
      await store.deploy({ version, pids: [pid] });
      await store.registry.activate({ name: 'sample', version, pids: [pid] });
    }
    const { root } = store;
    const program = library.file('cli/bin.cjs');
    const round = async () => {
      const startedAt = performance.now();
      const child = spawn(process.execPath, [program, 'serve', '--port', '0', '--json', '--root', root], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const figures = { listening: NaN, started: NaN };
      for await (const line of createInterface({ input: child.stdout })) {
        const { event, started } = JSON.parse(line) as { event: string; started?: unknown[] };
        const atMs = performance.now() - startedAt;
        if (event === 'listening') figures.listening = atMs;
        if (event !== 'ready') continue;
        if (started?.length !== ACTIVE)
          throw new Error(`${started?.length ?? 0} of ${ACTIVE} versions started`);
        figures.started = atMs;
        child.kill('SIGTERM');
      }
      return figures;
    };
    return { ours: () => ({ round }) };
  },
};

export const cases: BenchCase[] = [starting, serving];
