import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { deployVersion } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const host = fileURLToPath(new URL('../support/switching-host.ts', import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const image = { data: new Uint8Array(12), width: 2, height: 2 };

/** A child of the worker that has left its group, and would live on. */
const GRANDCHILD = 'import subprocess\nsubprocess.Popen(["sleep", "600"], start_new_session=True)';

test
  .runIf(process.platform === 'linux')
  .each(['2 starting', '2 ready', '2 executing', 'committed', 'switched', '1 stopping', 'end'])(
  'a host killed at "%s" of a switch leaves both ids at one version, which the next host serves, and neither worker nor grandchild',
  async (moment) => {
    const root = await temporaryFolder();
    const registry = await Registry.open(root);
    onTestFinished(() => registry.close());
    for (const version of ['1', '2']) {
      const source = steeredAlgorithm({ onImport: GRANDCHILD });
      await deployVersion(registry, { version, source, pids: ['A', 'B'] });
    }
    await registry.activate({ name: 'sample', version: '1', pids: ['A', 'B'] });
    const child = spawn(process.execPath, ['--import', tsx, host, root, moment], { stdio: 'inherit' });
    const ended = await new Promise((resolve) =>
      child.once('exit', (_, signal) => {
        resolve(signal);
      }),
    );
    expect(ended).toBe('SIGKILL');
    const { A, B } = await registry.active();
    expect(A?.version).toBe(B?.version);
    const isBefore = ['2 starting', '2 ready', '2 executing'].includes(moment);
    expect(A?.version).toBe(isBefore ? '1' : '2');
    await vi.waitFor(() => {
      expect(workersOf(root)).toEqual([]);
    }, 15_000);
    await using supervisor = new AlgorithmSupervisor({ registry });
    for (const pid of ['A', 'B']) {
      expect(await supervisor.execute({ pid, stepIndex: 1, image })).toMatchObject({
        status: 'OK',
        version: A?.version,
      });
    }
  },
);

/** Processes that have the store in their environment. */
function workersOf(root: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`PROC_ALGO_ROOT=${root}`);
    } catch {
      return false;
    }
  });
}
