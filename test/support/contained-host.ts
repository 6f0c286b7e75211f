/** A host that calls a version once and tells what held its worker: `node contained-host.mjs <store> <name> <worker> <policy>`. */
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import type { WorkerFlavour } from '../../src/worker/types.js';

const [, , root = '', name = '', worker = 'sdk', policy = '{}'] = process.argv;
const registry = await Registry.open(root, { durability: 'none' });
const supervisor = new AlgorithmSupervisor({
  registry,
  worker: worker as WorkerFlavour,
  policy: { retries: 0, maxRestarts: 0, ...(JSON.parse(policy) as Partial<SupervisorPolicy>) },
});
const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };
try {
  const target = { name, version: '1.0.0' };
  const { status, data } = await supervisor.execute({ target, stepIndex: 1, image, timeoutMs: 20_000 });
  const { bounds, processId: pid } = supervisor.status()[0]?.workers[0] ?? {};
  process.stdout.write(`${JSON.stringify({ status, debug: data.debug, bounds, pid })}\n`);
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  process.stdout.write(`${JSON.stringify({ code, message })}\n`);
} finally {
  await supervisor.close();
  await registry.close();
}
