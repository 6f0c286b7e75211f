/**
 * A host that dies while workers of it are forked: `tsx forking-host.ts <store> <moment>`. It ends itself with SIGKILL while
 * the fork server imports (`import`), while three workers are being forked (`fork`), or while they have calls (`calls`).
 */
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';

const [store = '', moment = ''] = process.argv.slice(2);
const die = () => {
  process.kill(process.pid, 'SIGKILL');
};
const registry = await Registry.open(store);
const policy = { stableMs: 1 };
const supervisor = new AlgorithmSupervisor({ registry, worker: 'bundled', policy });
const decided = new Promise((resolve) => supervisor.once('warmStart', resolve));
await supervisor.start('sample', '1.0.0');
if (moment === 'import') setTimeout(die, 100);
await decided;
const scaled = supervisor.scale('sample', '1.0.0', 4);
if (moment === 'fork') setTimeout(die, 5);
await scaled;
const image = { data: new Uint8Array(12), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };
for (let call = 0; call < 4; call++) {
  supervisor.execute({ target, stepIndex: 1, image, userParams: { hang: true } }).catch(() => undefined);
}
setTimeout(die, 300);
