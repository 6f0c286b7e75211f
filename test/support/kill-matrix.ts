import { spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { StepPlan } from './fs-steps.js';
import { describeStore, killScenarios, openStore, storeFolder, type KillScenario } from './kill-scenarios.js';

/** How a child ended. */
export interface ChildEnd {
  signal: NodeJS.Signals | null;
  exitCode: number | null;
  report: { steps: number; code?: string; message?: string; cause?: string } | undefined;
  stderr: string;
}

/** What a matrix proved. */
export interface MatrixResult {
  scenario: string;
  steps: number;
  tried: number;
  slowestRecoveryMs: number;
}

const RECOVERY_LIMIT_MS = 1_000;
const LANES = 2;

/**
 * Runs a scenario's operation in child processes: once to count its steps, then once for each of `sample` steps (all
 * of them by default), spread evenly, each time from the same state, cut off there. After each a fresh opening of the
 * store must find it whole, within a second, and the operation must succeed when repeated.
 */
export async function runMatrix(
  name: string,
  plan: (at: number) => StepPlan,
  sample = Number.POSITIVE_INFINITY,
): Promise<MatrixResult> {
  const scenario = killScenarios[name];
  if (!scenario) throw new Error(`There is no scenario ${name}`);
  const base = await mkdtemp(path.join(os.tmpdir(), 'pv-matrix-'));
  try {
    const template = path.join(base, 'template');
    await cp(await prepared(scenario, base), template, { recursive: true });
    const counted = await runChild(name, await copyOf(template, base, 'count'), { mode: 'count' });
    const steps = counted.report?.steps ?? 0;
    expect(counted, 'the operation runs when left alone').toMatchObject({ exitCode: 0 });
    expect(counted.report?.code, counted.report?.message).toBeUndefined();
    const points = spread(steps, sample);
    let slowestRecoveryMs = 0;
    await inLanes(points, async (at) => {
      const root = await copyOf(template, base, `step-${at}`);
      const end = await runChild(name, root, plan(at));
      expectPlanned(plan(at), end);
      slowestRecoveryMs = Math.max(
        slowestRecoveryMs,
        await expectWhole(scenario, root, `${name} step ${at}`),
      );
      await rm(root, { recursive: true, force: true });
    });
    return { scenario: name, steps, tried: points.length, slowestRecoveryMs };
  } finally {
    await rm(base, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The store after it was cut off: opened, recovered, looked through, and the operation repeated. */
async function expectWhole(scenario: KillScenario, root: string, where: string): Promise<number> {
  let recoveryMs: number;
  {
    const startedAt = performance.now();
    await using store = await openStore(root);
    const report = await store.deployer.recover();
    recoveryMs = performance.now() - startedAt;
    expect(report.busy, where).toEqual([]);
    expect(scenario.states, where).toContainEqual(await describeStore(store.registry));
    await expectTidy(store, root, where);
  }
  expect(recoveryMs, `${where}: recovery`).toBeLessThan(RECOVERY_LIMIT_MS);
  await scenario.operate(root);
  await using store = await openStore(root);
  expect(await describeStore(store.registry), `${where}: repeated`).toEqual(scenario.states.at(-1));
  await expectTidy(store, root, `${where}: repeated`);
  return recoveryMs;
}

/** Everything that is listed is there as sealed; nothing else is there. */
async function expectTidy(
  { registry, deployer }: Awaited<ReturnType<typeof openStore>>,
  root: string,
  where: string,
): Promise<void> {
  const entries = await registry.list();
  for (const { name, version } of entries) {
    expect(await deployer.verify(name, version), where).toMatchObject({ intact: true });
  }
  const { layout } = registry;
  const deployed: string[] = [];
  for (const name of await readdir(layout.deployedRoot)) {
    const versions = await readdir(path.join(layout.deployedRoot, name));
    deployed.push(...(versions.length > 0 ? versions : ['nothing']).map((version) => `${name} ${version}`));
  }
  expect(deployed.sort(), where).toEqual(entries.map(({ name, version }) => `${name} ${version}`).sort());
  const strays = (await readdir(storeFolder(root), { recursive: true })).filter((file) =>
    /\.staging|\.tmp$|\.lock|\.claim|\.owner/.test(file),
  );
  expect(strays, where).toEqual([]);
  const copies = (await readdir(layout.activeRoot)).map(async (file) => {
    return JSON.parse(await readFile(path.join(layout.activeRoot, file), 'utf8')) as { pid: string };
  });
  const active = Object.values(await registry.active());
  expect(byPid(await Promise.all(copies)), `${where}: active/`).toEqual(byPid(active));
  for (const zip of await readdir(layout.zips)) {
    expect(await deployer.scan(), `${where}: ${zip}`).toContainEqual(
      expect.objectContaining({ source: 'zip', state: 'deployed' }),
    );
  }
}

function byPid<T extends { pid: string }>(mappings: T[]): T[] {
  return [...mappings].sort((a, b) => (a.pid < b.pid ? -1 : 1));
}

async function prepared(scenario: KillScenario, base: string): Promise<string> {
  const root = await mkdtemp(path.join(base, 'prepare-'));
  await scenario.prepare(root);
  return root;
}

async function copyOf(template: string, base: string, name: string): Promise<string> {
  const root = path.join(base, name);
  await cp(template, root, { recursive: true, preserveTimestamps: true });
  return root;
}

function expectPlanned(plan: StepPlan, end: ChildEnd): void {
  if (plan.mode === 'kill') {
    expect(end, end.stderr).toMatchObject({ signal: 'SIGKILL' });
  } else if (plan.mode === 'fail') {
    expect(end, end.stderr).toMatchObject({ signal: null, exitCode: 0 });
    // A step whose failure does no harm (tidying up, the audit log) is passed over; any other is told as it was.
    if (end.report?.code === undefined) return;
    expect(['install_failed', 'store_failed'], end.report.message).toContain(end.report.code);
    expect(end.report.cause, end.report.message).toBe(plan.code);
  }
}

/** Steps to try: all of them, or so many, spread evenly over the whole with the last one in it. */
function spread(steps: number, sample: number): number[] {
  if (sample >= steps) return Array.from({ length: steps }, (_, index) => index + 1);
  const points = Array.from({ length: sample }, (_, index) => Math.round(((index + 1) * steps) / sample));
  return [...new Set(points)];
}

async function inLanes(points: number[], work: (at: number) => Promise<void>): Promise<void> {
  const queue = [...points];
  const lane = async () => {
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) await work(at);
  };
  const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** Runs a scenario's operation in a process of its own, following a plan, to whatever end it comes to. */
export async function runChild(name: string, root: string, plan: StepPlan): Promise<ChildEnd> {
  return startChild(name, root, plan).end;
}

/** As {@link runChild}, without waiting. */
export function startChild(
  name: string,
  root: string,
  plan: StepPlan,
): { process: ChildProcess; end: Promise<ChildEnd> } {
  const script = fileURLToPath(new URL('./kill-child.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, name, root, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const end = new Promise<ChildEnd>((resolve) => {
    child.once('close', (exitCode, signal) => {
      const report = stdout === '' ? undefined : (JSON.parse(stdout) as ChildEnd['report']);
      resolve({ exitCode, signal, report, stderr });
    });
  });
  return { process: child, end };
}
