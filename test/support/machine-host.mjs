/**
 * From zip to verdict with both workers, on the machine that this process finds:
 * `node machine-host.mjs <dist> <store> <zip> <JSON: { python, policy, force }>`. Prints one line of JSON.
 */
import { pathToFileURL } from 'node:url';

const [, , dist, store, zip, text = '{}'] = process.argv;
const { python = 'python3', policy = {}, force = false, verify = false, install = true } = JSON.parse(text);
const { Registry, VenvManager, Deployer, AlgorithmSupervisor, FramePool } = await import(
  pathToFileURL(`${dist}/index.js`).href
);
const told = {};
const note = async (what, work) => {
  try {
    told[what] = await work();
  } catch (error) {
    told[what] = `${error.code ?? error.name}: ${error.message}`;
  }
};
const registry = await Registry.open(store);
const venvs = new VenvManager({ python });
const deployer = new Deployer({ registry, venvs });
deployer.on('error', () => undefined);
if (install) await note('install', async () => (await deployer.install(zip, { force })).state);
if (verify)
  await note('verify', async () => ((await deployer.verify('sample', '1.0.0')).intact ? 'intact' : 'drift'));
for (const worker of ['sdk', 'bundled']) {
  await note(worker, async () => {
    const frames = new FramePool({ gid: policy.gid ?? policy.uid });
    const supervisor = new AlgorithmSupervisor({
      registry,
      frames,
      worker,
      policy: { retries: 0, maxRestarts: 0, ...policy },
    });
    try {
      const image = { data: new Uint8Array(64 * 48 * 3).fill(200), width: 64, height: 48 };
      const target = { name: 'sample', version: '1.0.0' };
      const { status, data } = await supervisor.execute({ target, stepIndex: 1, image, timeoutMs: 60_000 });
      const inStore = (await frames.open()).startsWith(`${registry.layout.root}/`);
      told.frames = inStore ? 'in the store' : 'in memory';
      return `${status} ${data.result_status}`;
    } finally {
      await supervisor.close();
      await frames.close();
    }
  });
}
await deployer.close();
await registry.close();
process.stdout.write(`${JSON.stringify(told)}\n`);
