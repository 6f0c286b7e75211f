import { record } from '../../src/recording/index.js';
/** A host that records until it is killed: `tsx recording-host.ts <store> <folder>`. It serves `A01`. */
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { patient } from './patient.js';

const [store = '', directory = ''] = process.argv.slice(2);
const registry = await Registry.open(store);
const supervisor = new AlgorithmSupervisor({ registry, policy: patient() });
await record(supervisor, { directory });
for (let value = 0; ; value++) {
  const image = { data: new Uint8Array(300 * 300 * 3).fill(value % 250), width: 300, height: 300 };
  await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
}
