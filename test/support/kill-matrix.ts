import { cp, lstat, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import type { Durability } from '../../src/store/atomic-file.js';
import type { FileStepPlan } from '../../src/testing/index.js';
import { IS_WINE } from './platform.js';
import { KILLED, runChild, type ChildEnd } from './kill-process.js';
import { describeStore, killScenarios, openStore, storeFolder, type KillScenario } from './kill-scenarios.js';

/** What a matrix proved. */
export interface MatrixResult {
  scenario: string;
  steps: number;
  tried: number;
  /** From the opening of the store to the end of `recover()`. */
  medianRecoveryMs: number;
  slowestRecoveryMs: number;
  /** Cuts that were tried again because their recovery took longer than is promised. */
  triedAgain: number;
}

const LANES = 2;

/** What is promised of each recovery. */
const RECOVERY_MS = IS_WINE ? 5_000 : 1_000; // Wine asks another process for each file
/** A machine that is busy elsewhere may hold up any of them; a recovery that is slow is so each time. */
const RECOVERY_ATTEMPTS = 4;

/** What of a scenario's operation is cut off. */
export interface MatrixOptions {
  /** How many cuts, spread evenly; all where it is not given. */
  sample?: number;
  /** With `full` the operation waits for the disk, and is cut off where it does: at its syncs alone. @defaultValue 'none' */
  durability?: Durability;
}

const SYNCS = new Set(['sync', 'datasync', 'fsync']);

/**
 * Runs a scenario's operation in child processes: once to count its steps, then once for each step and each way to cut
 * it off there, or for some of these; each time from the same state. After each a fresh opening of the store must find
 * it whole within a second, and the operation must succeed when repeated.
 */
export async function runMatrix(
  name: string,
  ways: readonly ((at: number) => FileStepPlan)[],
  { sample, durability = 'none' }: MatrixOptions = {},
): Promise<MatrixResult> {
  const scenario = killScenarios[name];
  if (!scenario) throw new Error(`There is no scenario ${name}`);
  /** What else is to be removed. */
  const ends: (() => Promise<void>)[] = [];
  const base = await mkdtemp(path.join(os.tmpdir(), 'pv-matrix-'));
  try {
    const template = path.join(base, 'template');
    await mkdir(template);
    await scenario.prepare(template);
    const count = await copyOf(template, base, 'count');
    ends.push(...((await scenario.place?.(count)) ?? []));
    const counted = await runChild(name, count, { mode: 'count' }, durability);
    const calls = counted.report?.calls ?? [];
    const places = calls.flatMap((call, index) =>
      durability === 'none' || SYNCS.has(call) ? [index + 1] : [],
    );
    expect(counted, 'the operation runs when left alone').toMatchObject({ exitCode: 0 });
    expect(counted.report?.code, counted.report?.message).toBeUndefined();
    const plans = sample === undefined ? everyPlan(places, ways) : somePlans(places, ways, sample);
    const recoveriesMs: number[] = [];
    const cutOff = async (plan: FileStepPlan, where: string) => {
      const root = await copyOf(template, base, `root-${plans.indexOf(plan)}`);
      ends.push(...((await scenario.place?.(root)) ?? []));
      expectPlanned(plan, await runChild(name, root, plan, durability));
      const recoveryMs = await expectWhole(scenario, root, where);
      recoveriesMs.push(recoveryMs);
      await rm(root, { recursive: true, force: true });
      return recoveryMs;
    };
    await inLanes(plans, async (plan) => {
      const where = `${name}: ${JSON.stringify(plan)}`;
      let fastestMs = Infinity;
      for (let attempt = 1; attempt <= RECOVERY_ATTEMPTS && fastestMs >= RECOVERY_MS; attempt++) {
        fastestMs = Math.min(fastestMs, await cutOff(plan, where));
      }
      expect(fastestMs, `${where}: recovery`).toBeLessThan(RECOVERY_MS);
    });
    recoveriesMs.sort((a, b) => a - b);
    const medianRecoveryMs = Math.round(recoveriesMs[recoveriesMs.length >> 1] ?? 0);
    const slowestRecoveryMs = Math.round(recoveriesMs.at(-1) ?? 0);
    const triedAgain = recoveriesMs.length - plans.length;
    return {
      ...{ scenario: name, steps: places.length, tried: plans.length },
      ...{ medianRecoveryMs, slowestRecoveryMs, triedAgain },
    };
  } finally {
    await rm(base, { recursive: true, force: true, maxRetries: 3 });
    for (const end of ends) await end();
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
    // The folder of unpacked wheels puts itself right when it is next used.
    /^(?!.*\.wheels).*(\.staging|\.tmp$|\.new$|\.part$|\.lock|\.claim|\.owner)/.test(file),
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

async function copyOf(template: string, base: string, name: string): Promise<string> {
  const root = path.join(base, name);
  // A lock's owner file is a link whose target is no path: left as it is.
  await cp(template, root, {
    ...{ recursive: true, preserveTimestamps: true, verbatimSymlinks: true },
    filter: async (file) => !(await lstat(file)).isSocket(), // nor does any other copy of a store show its hosts' life
  });
  return root;
}

function expectPlanned(plan: FileStepPlan, end: ChildEnd): void {
  if (plan.mode === 'kill') {
    expect(end, end.stderr).toMatchObject(KILLED);
  } else if (plan.mode === 'fail') {
    expect(end, end.stderr).toMatchObject({ signal: null, exitCode: 0 });
    // A step whose failure does no harm (tidying up, the audit log) is passed over; any other is told as it was.
    if (end.report?.code === undefined) return;
    expect(['install_failed', 'store_failed'], end.report.message).toContain(end.report.code);
    expect(end.report.cause, end.report.message).toBe(plan.code);
  }
}

function everyPlan(places: number[], ways: readonly ((at: number) => FileStepPlan)[]): FileStepPlan[] {
  return places.flatMap((at) => ways.map((way) => way(at)));
}

/** So many steps, spread evenly over the whole with the last one in it, each cut off in another way. */
function somePlans(
  places: number[],
  ways: readonly ((at: number) => FileStepPlan)[],
  sample: number,
): FileStepPlan[] {
  return Array.from({ length: sample }, (_, index) =>
    ways
      .slice(index % ways.length, (index % ways.length) + 1)
      .map((way) => way(places[Math.max(0, Math.round(((index + 1) * places.length) / sample) - 1)] ?? 1)),
  ).flat();
}

async function inLanes(plans: FileStepPlan[], work: (plan: FileStepPlan) => Promise<void>): Promise<void> {
  const queue = [...plans];
  const lane = async () => {
    for (let plan = queue.shift(); plan; plan = queue.shift()) await work(plan);
  };
  const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
