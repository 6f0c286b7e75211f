/**
 * A host that something happens to in the middle of a switch: `tsx switching-host.ts <store> <moment>`. It serves `A`
 * and `B` at version 1 and switches both to version 2. It ends itself with SIGKILL at the moment, or, where that is a
 * plan for file-system steps, follows the plan and prints what it came to.
 */
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { FileStepPlan } from '../../src/testing/file-steps/types.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { patient } from './patient.js';

const [store = '', moment = ''] = process.argv.slice(2);
const plan = moment.startsWith('{') ? (JSON.parse(moment) as FileStepPlan) : undefined;
const die = (now: string) => {
  if (now === moment) process.kill(process.pid, 'SIGKILL');
};

const registry = await Registry.open(store);
const supervisor = new AlgorithmSupervisor({ registry, policy: patient() });
const image = { data: new Uint8Array(12), width: 2, height: 2 };
const call = (pid: string) => supervisor.execute({ productId: pid, stepIndex: 1, image });
await call('A');
supervisor.on('state', ({ version, state }) => {
  die(`${version} ${state}`);
});
supervisor.on('ready', ({ version }) => {
  die(`${version} ready`);
});
registry.on('switched', () => {
  die('committed');
});
supervisor.on('switched', () => {
  die('switched');
});
const drained = new Promise((resolve) => {
  for (const event of ['drained', 'error'] as const) supervisor.once(event, resolve);
});
const watch = plan && watchFileSteps(store, plan);
const probation = moment === 'on trial' ? {} : undefined;
const share = moment === 'at a share' ? 0.5 : undefined;
const code = await supervisor
  .switch({ name: 'sample', version: '2', productIds: ['A', 'B'], warmUp: { image }, probation, share })
  .catch((error: unknown) => (error as { code?: string }).code);
die('on trial');
if (share) for (let n = 0; n < 4; n++) await call('A');
die('at a share');
// The old version is drained behind the switch: the steps of that are part of it.
if (code === undefined && !probation) await drained;
die('end');
if (!watch) throw new Error(`there is no moment ${moment} in a switch`);
const taken = watch.count;
const served = [(await call('A')).version, (await call('B')).version];
await supervisor.close();
await registry.close();
process.stdout.write(JSON.stringify({ steps: taken, code, served }));
