// Uses each subpath of the installed package as an ES module: builds a package, deploys it over HTTP and runs it.
import { writeFile } from 'node:fs/promises';
import { AlgorithmSupervisor, Deployer, PackageValidator, Registry, VenvManager } from 'procvision-runner';
import { createRunnerHandler } from 'procvision-runner/http';
import { buildPackage } from 'procvision-runner/testing';

const station = process.argv[2];
const registry = await Registry.open(station);
const deployer = new Deployer({ registry });
const validator = new PackageValidator({ venvs: new VenvManager() });
const supervisor = new AlgorithmSupervisor({ registry });
const handler = createRunnerHandler({ registry, deployer, validator, supervisor, authorize: () => true });
const ask = (path, type, body) =>
  handler(new Request(`http://station${path}`, { method: 'POST', headers: { 'content-type': type }, body }));
try {
  const zip = await buildPackage({ pids: ['A01'] });
  await writeFile(`${station}/package.zip`, zip);
  const installed = await ask('/algorithms/install', 'application/zip', zip);
  const { name, version } = await installed.json();
  const mapping = JSON.stringify({ name, version, pids: ['A01'] });
  const activated = await ask('/algorithms/activate', 'application/json', mapping);
  const refused = await ask('/algorithms/install', 'application/zip', 'no zip');
  await supervisor.start(name, version);
  const image = { data: new Uint8Array(64 * 48 * 3), width: 64, height: 48 };
  const { data } = await supervisor.execute({ pid: 'A01', stepIndex: 1, image });
  const { code } = await refused.json();
  const statuses = [installed.status, activated.status, refused.status];
  process.stdout.write(JSON.stringify({ statuses, code, verdict: data.result_status }));
} finally {
  await supervisor.close();
  await deployer.close();
  await registry.close();
}
