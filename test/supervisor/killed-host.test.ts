import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Registry } from '../../src/registry/registry.js';
import { StoreLayout } from '../../src/store/layout.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { FileStepPlan } from '../../src/testing/index.js';
import { startScript } from '../support/child-script.js';
import { deployVersion } from '../support/deployed-version.js';
import { KILLED } from '../support/kill-process.js';
import { patient } from '../support/patient.js';
import { IS_WINDOWS } from '../support/platform.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { reportSoak } from '../support/soak-report.js';

/** How many file-system steps of a switch are tried; `all` tries each of them (`npm run soak:kill-matrix`). */
const given = process.env.KILL_MATRIX ?? '2';
const image = { data: new Uint8Array(12), width: 2, height: 2 };

/** A child of the worker that has left its group, and would live on. */
const GRANDCHILD = IS_WINDOWS
  ? `import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, file=open(os.path.join(os.environ["PROC_ALGO_ROOT"], "started"), "a"))`
  : 'import subprocess\nsubprocess.Popen(["sleep", "600"], start_new_session=True)';

/** A store with versions 1 and 2, `A` and `B` active at 1. */
async function openStore(onImport = ''): Promise<{ root: string; registry: Registry }> {
  const root = await temporaryFolder();
  const registry = await Registry.open(root);
  onTestFinished(() => registry.close());
  for (const version of ['1', '2']) {
    await deployVersion(registry, {
      version,
      source: steeredAlgorithm({ onImport }),
      productIds: ['A', 'B'],
    });
  }
  await registry.activate({ name: 'sample', version: '1', productIds: ['A', 'B'] });
  return { root, registry };
}

/** Both ids are at one version, no worker is left, and the next host serves them. Gives the version. */
async function expectWhole(root: string, registry: Registry): Promise<string | undefined> {
  const { A, B } = await registry.active();
  expect(A?.version).toBe(B?.version);
  await vi.waitFor(() => {
    expect(workersOf(root)).toEqual([]);
  }, 15_000);
  await using supervisor = new AlgorithmSupervisor({ registry, policy: patient() });
  for (const pid of ['A', 'B']) {
    expect(await supervisor.execute({ productId: pid, stepIndex: 1, image })).toMatchObject({
      status: 'OK',
      version: A?.version,
    });
  }
  return A?.version;
}

const BEFORE = ['2 starting', '2 ready', '2 executing', 'at a share'];
const AFTER = ['committed', 'switched', '1 stopping', 'end', 'on trial'];

test.runIf(process.platform === 'linux' || IS_WINDOWS).each([...BEFORE, ...AFTER])(
  'a host killed at "%s" of a switch leaves both ids at one version, which the next host serves, and neither worker nor grandchild',
  async (moment) => {
    const { root, registry } = await openStore(GRANDCHILD);
    const host = await startScript('switching-host.ts', [root, moment]);
    expect(await host.end).toMatchObject(KILLED);
    expect(await expectWhole(root, registry)).toBe(BEFORE.includes(moment) ? '1' : '2');
    const { A } = await registry.active();
    expect(A?.barred).toBeUndefined(); // a trial that dies with its host has no verdict
  },
);

test.runIf(process.platform === 'linux')(
  'a host killed, or out of space, at any file-system step of a switch serves the old version or the new one',
  { timeout: given === 'all' ? 3_600_000 : 120_000 },
  async () => {
    const run = async (plan: FileStepPlan) => {
      const { root, registry } = await openStore();
      const host = await startScript('switching-host.ts', [root, JSON.stringify(plan)]);
      const end = await host.end;
      const version = await expectWhole(root, registry);
      const report = JSON.parse(end.stdout || 'null') as Report | null;
      return { ...end, report, version, where: `${JSON.stringify(plan)} ${end.stderr}` };
    };
    const { report: counted } = await run({ mode: 'count' });
    expect(counted).toMatchObject({ served: ['2', '2'] });
    const steps = counted?.steps ?? 0;
    expect(steps).toBeGreaterThan(10);
    const tried = given === 'all' ? steps : Number(given);
    for (let n = 0; n < tried; n++) {
      const at = given === 'all' ? n + 1 : 1 + Math.floor(((n + 0.5) * steps) / tried);
      const killed = await run({ mode: 'kill', at });
      expect(killed.signal, killed.where).toBe('SIGKILL');
      const full = await run({ mode: 'fail', at, code: 'ENOSPC' });
      expect(full, full.where).toMatchObject({ exitCode: 0, signal: null });
      expect(full.report?.served, full.where).toEqual([full.version, full.version]);
      // Told when it failed: then the old one serves, unless the failure came after the commit.
      if (full.version === '1') expect(full.report?.code, full.where).toBeDefined();
    }
    reportSoak('KILL_MATRIX', 'kill matrix of a switch', { steps, cuts: tried * 2 });
  },
);

interface Report {
  steps: number;
  code?: string;
  served: string[];
}

/** Processes that have the store in their environment; of Windows, which shows nobody's, those that have written it down. */
function workersOf(root: string): string[] {
  if (IS_WINDOWS) {
    return started(root).filter((pid) => isAlive(Number(pid)));
  }
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`PROC_ALGO_ROOT=${root}`);
    } catch {
      return false;
    }
  });
}

/** What the workers of both versions have written down, each into the folder of its version. */
function started(root: string): string[] {
  const layout = new StoreLayout(root);
  return ['1', '2'].flatMap((version) => {
    const file = path.join(layout.deployed('sample', version), 'started');
    return existsSync(file) ? readFileSync(file, 'utf8').split(/\s+/).filter(Boolean) : [];
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
