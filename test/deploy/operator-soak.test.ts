import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { buildPackage, writeAlgorithmFolder } from '../../src/testing/index.js';
import { startScript, type ScriptRun } from '../support/child-script.js';
import { deployStore } from '../support/deploy-store.js';
import { NO_MOUNTS, smallDisk } from '../support/mounts.js';
import { plainSteps } from '../support/plain-steps.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { reportSoak } from '../support/soak-report.js';

/** Seconds, enough for each kind of trouble once; `npm run soak:operator` makes it 1,800. */
const SECONDS = Number(process.env.OPERATOR_SOAK ?? 7);
/** Long enough for the bound on lateness, which a short run beside others could miss by the load of the machine. */
const IS_LONG = SECONDS >= 120;
const HOSTS = 3;
const PIDS = Array.from({ length: HOSTS }, (_, n) => `P${n + 1}`);

interface HostReport {
  done: Record<string, number>;
  faults: string[];
  latestMs: number;
}

/** Every file of an algorithm that runs on a Python as it is. */
async function algorithmFiles(): Promise<Record<string, Uint8Array>> {
  const folder = await temporaryFolder();
  await writeAlgorithmFolder(folder, { source: steeredAlgorithm() });
  const files: Record<string, Uint8Array> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile()) files[path.relative(folder, file).split(path.sep).join('/')] = await readFile(file);
  }
  return files;
}

/** The disk refuses every write for a moment. A file that is open for writing keeps it from that: then not. */
async function beReadOnly(disk: string, forMs: number): Promise<void> {
  try {
    execFileSync('mount', ['-o', 'remount,ro', disk], { stdio: 'pipe' });
  } catch {
    return;
  }
  await delay(forMs);
  execFileSync('mount', ['-o', 'remount,rw', disk], { stdio: 'pipe' });
}

test.skipIf(NO_MOUNTS)(
  `${HOSTS} hosts on one store, for ${SECONDS} s: no false alarm, no late order, no call lost, through a full and a read-only disk and a SIGKILL`,
  { timeout: 180_000 + SECONDS * 3_000 },
  async () => {
    const disk = await smallDisk(64);
    const packages = await temporaryFolder();
    const files = await algorithmFiles();
    for (const name of ['alpha', 'beta']) {
      for (const version of ['1.0.0', '1.1.0', '1.2.0', '1.3.0']) {
        const manifest = { entry_point: 'main:Algorithm' };
        const bytes = await buildPackage({ name, version, productIds: PIDS, sdk: null, files, manifest });
        await writeFile(path.join(packages, `${name}-${version}.zip`), bytes);
      }
    }
    const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
      encoding: 'utf8',
    }).trim();
    const { mkdir, symlink } = await import('node:fs/promises');
    const steps: typeof plainSteps = {
      ...plainSteps,
      environment: async (root, ...rest) => {
        const made = await plainSteps.environment(root, ...rest);
        await mkdir(path.join(made.venv.dir, 'bin'));
        await symlink(python, path.join(made.venv.dir, 'bin', 'python'));
        return made;
      },
    };
    const { registry, deployer } = await deployStore({ steps }, disk.folder);
    for (const name of ['alpha', 'beta']) {
      for (const version of ['1.0.0', '1.1.0']) {
        await deployer.install(path.join(packages, `${name}-${version}.zip`));
      }
    }
    await registry.activate({ name: 'alpha', version: '1.0.0', productIds: PIDS });
    await registry.switch({ name: 'beta', version: '1.0.0', productIds: PIDS });

    const start = async (n: number): Promise<ScriptRun> => {
      const run = await startScript('operator-host.ts', [
        registry.layout.root,
        packages,
        String(n + 1),
        python,
      ]);
      while (!run.output().includes('ready')) await delay(20);
      return run;
    };
    const hosts = await Promise.all(PIDS.map((_, n) => start(n)));
    const filler = path.join(disk.folder, 'filler');
    const until = performance.now() + SECONDS * 1_000;
    for (let turn = 0; performance.now() < until; turn++) {
      await delay(2_000);
      if (turn % 3 === 0) {
        disk.fill();
        await delay(1_000);
        await rm(filler, { force: true });
      } else if (turn % 3 === 1) await beReadOnly(disk.folder, 1_000);
      else {
        const n = turn % HOSTS;
        const killed = hosts[n];
        killed?.process.kill('SIGKILL');
        await killed?.end;
        hosts[n] = await start(n);
      }
    }
    for (const { process: host } of hosts) host.kill('SIGTERM');
    const total: Record<string, number> = {};
    let latestMs = 0;
    for (const host of hosts) {
      const { stdout, stderr, exitCode } = await host.end;
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as HostReport;
      expect(report.faults).toEqual([]);
      latestMs = Math.max(latestMs, report.latestMs);
      for (const [what, times] of Object.entries(report.done)) total[what] = (total[what] ?? 0) + times;
    }
    reportSoak('OPERATOR_SOAK', 'operator soak', { latestMs, ...total });
    if (IS_LONG) expect(latestMs).toBeLessThanOrEqual(2_000);
    expect(total.call).toBeGreaterThan(0);
    await deployer.recover();
    for (const { name, version } of await registry.list()) {
      expect(await deployer.verify(name, version)).toMatchObject({ intact: true });
    }
  },
);
