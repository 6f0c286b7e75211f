/**
 * A host that is killed in the middle of a switch: `tsx switching-host.ts <store> <moment>`. It serves `A` and `B` at
 * version 1, switches both to version 2, and ends itself with SIGKILL at the moment.
 */
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';

const [store = '', moment = ''] = process.argv.slice(2);
const die = (now: string) => {
  if (now === moment) process.kill(process.pid, 'SIGKILL');
};

const registry = await Registry.open(store);
const supervisor = new AlgorithmSupervisor({ registry });
const image = { data: new Uint8Array(12), width: 2, height: 2 };
await supervisor.execute({ pid: 'A', stepIndex: 1, image });
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
await supervisor.switch({ name: 'sample', version: '2', pids: ['A', 'B'], warmUp: { image } });
die('end');
throw new Error(`there is no moment ${moment} in a switch`);
