/**
 * One of several hosts on one store: `operator-host.ts <store> <packages> <seed> <python>`. It calls its product id all the
 * time and carries out orders one after the other: switches, rollbacks, scans, verifies, installs and uninstalls with force.
 * On SIGTERM it ends and prints what it has done, and what was not as it should be.
 */
import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Deployer } from '../../src/deploy/deployer.js';
import { withSteps } from '../../src/deploy/given-steps.js';
import { RunnerError } from '../../src/errors.js';
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { plainSteps } from './plain-steps.js';

const [store = '', packages = '', seed = '1', python = ''] = process.argv.slice(2);
const NAMES = ['alpha', 'beta'];
/** The first two serve, the others are installed and removed. */
const SERVING = ['1.0.0', '1.1.0'];
const SPARE = ['1.2.0', '1.3.0'];
const productId = `P${seed}`;

let state = Number(seed) * 2_654_435_761;
const random = (below: number) => {
  state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
  return Math.floor((state / 4_294_967_296) * below);
};
const oneOf = <T>(list: readonly T[]) => list[random(list.length)] as T;

const registry = await Registry.open(store, { durability: 'none', pollMs: 50 });
const steps: typeof plainSteps = {
  ...plainSteps,
  environment: async (root, ...rest) => {
    const made = await plainSteps.environment(root, ...rest);
    await mkdir(path.join(made.venv.dir, 'bin'));
    await symlink(python, path.join(made.venv.dir, 'bin', 'python'));
    return made;
  },
};
const deployer = new Deployer(withSteps({ registry }, steps));
const supervisor = new AlgorithmSupervisor({ registry, policy: { executeTimeoutMs: 60_000 } });

const done: Record<string, number> = {};
const faults: string[] = [];
/** How long after it could have ended an order ended, in milliseconds. */
let latestMs = 0;
let isEnding = false;
/** When the last version became ready here: a cold switch waits for that. */
let readyAt = 0;
supervisor.on('ready', () => (readyAt = performance.now()));

const count = (what: string) => (done[what] = (done[what] ?? 0) + 1);
const codeOf = (error: unknown) => (RunnerError.is(error) ? error.code : String(error));
/** What an order may be refused with: somebody else was there first, or nothing can be written for the moment. */
const REFUSALS = new Set([
  ...['not_found', 'superseded', 'busy', 'lock_timeout', 'version_in_use', 'unsafe_uninstall'],
  ...['already_installed', 'store_failed', 'lock_lost'],
]);

async function order(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
    count(what);
  } catch (error) {
    const code = codeOf(error);
    if (REFUSALS.has(code)) count(`${what} ${code}`);
    else faults.push(`${what}: ${code}: ${(error as Error).message}`);
  }
}

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const startedAt = performance.now();
  await order(what, work);
  latestMs = Math.max(latestMs, performance.now() - Math.max(startedAt, readyAt));
}

const ORDERS: readonly (() => Promise<void>)[] = [
  () =>
    timed('switch', () =>
      supervisor.switch({ name: oneOf(NAMES), version: oneOf(SERVING), productIds: [productId] }),
    ),
  () => timed('rollback', () => supervisor.rollback({ productId: productId })),
  () =>
    order('scan', async () => {
      const bad = (await deployer.scan()).filter(
        ({ source, state }) => source === 'deployed' && state === 'invalid',
      );
      for (const { name, version, reason } of bad)
        faults.push(`scan: ${name} ${version}: ${reason?.message}`);
    }),
  () =>
    order('verify', async () => {
      const { name, version, intact, drift } = await deployer.verify(
        oneOf(NAMES),
        oneOf([...SERVING, ...SPARE]),
      );
      if (!intact) faults.push(`verify: ${name} ${version}: ${JSON.stringify(drift.slice(0, 3))}`);
    }),
  () => {
    const zip = path.join(packages, `${oneOf(NAMES)}-${oneOf(SPARE)}.zip`);
    return order('install', () => deployer.install(zip, { force: true }));
  },
  () => order('uninstall', () => deployer.uninstall(oneOf(NAMES), oneOf(SPARE), { force: true })),
];

async function call(): Promise<void> {
  const image = { data: new Uint8Array(12).fill(Number(seed)), width: 2, height: 2 };
  while (!isEnding) {
    try {
      await supervisor.execute({ productId: productId, stepIndex: 1, image });
      count('call');
    } catch (error) {
      faults.push(`call: ${codeOf(error)}: ${(error as Error).message}`);
    }
    await delay(2);
  }
}

async function operate(): Promise<void> {
  while (!isEnding) {
    await oneOf(ORDERS)();
    await delay(random(30));
  }
}

process.on('SIGTERM', () => (isEnding = true));
process.stdout.write('ready\n');
await Promise.all([call(), operate()]);
await supervisor.close();
await deployer.close();
await registry.close();
process.stdout.write(
  `${JSON.stringify({ done, faults: faults.slice(0, 20), latestMs: Math.round(latestMs) })}\n`,
);
