/**
 * A package with a real NumPy from its zip to its verdicts, in a real CPython of Windows: `node numpy.mjs DIST WHEELS`,
 * where the folder of wheels has NumPy and the SDK. Installs two versions, and compares pictures at both workers.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , distFolder, wheels] = process.argv;
const dist = pathToFileURL(distFolder + path.sep).href;
const { AlgorithmSupervisor, Deployer, FramePool, Registry } = await import(`${dist}index.js`);
const kit = await import(`${dist}testing/index.js`);
const find = (start) => {
  const file = readdirSync(wheels).find((name) => name.startsWith(start));
  return { file, bytes: readFileSync(path.join(wheels, file)) };
};
const source = `import numpy as np
from procvision_algorithm_sdk import BaseAlgorithm

class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        mean = float(np.asarray(cur_image, dtype=np.float64).mean())
        return {"status": "OK", "message": "%.3f" % mean, "data": {"result_status": "OK", "defect_rects": []}}
`;
let startedAt = performance.now();
function lap(name) {
  console.log(`ok   ${name} (${Math.round(performance.now() - startedAt)} ms)`);
  startedAt = performance.now();
}

const base = mkdtempSync(path.join(os.tmpdir(), 'pv numpy '));
const registry = await Registry.open(path.join(base, 'store'));
const deployer = new Deployer({ registry });
mkdirSync(registry.layout.zips, { recursive: true });
for (const version of ['1.0.0', '2.0.0']) {
  const zip = path.join(registry.layout.zips, `means-v${version}-offline.zip`);
  writeFileSync(
    zip,
    await kit.buildPackage({
      ...{ name: 'means', version, generation: 'execute-only', stored: true },
      files: { 'algorithm/__init__.py': '', 'algorithm/main.py': source },
      requirements: 'procvision_algorithm_sdk\nnumpy\n',
      ...{ wheels: [find('numpy-')], sdk: [find('procvision_algorithm_sdk-')] },
    }),
  );
  startedAt = performance.now();
  await deployer.install(zip);
  lap(`version ${version} is installed`);
}
const library = path.join(
  registry.layout.venv('means', '2.0.0'),
  'Lib',
  'site-packages',
  'numpy',
  'version.py',
);
assert.ok(statSync(library).nlink > 2, 'the versions share their files');
for (const worker of ['sdk', 'bundled']) {
  const frames = new FramePool({ maxBytes: 64e6 });
  const supervisor = new AlgorithmSupervisor({ registry, worker, frames });
  for (let level = 10; level < 60; level++) {
    const frame = await frames.lease({ width: 640, height: 480, channels: 3 });
    frame.pixels.fill(level);
    const target = { name: 'means', version: '2.0.0' };
    const { message } = await supervisor.execute({ target, stepIndex: 1, image: frame, guideImage: 'same' });
    frame.release();
    assert.equal(Number(message), level);
  }
  await supervisor.close();
  await frames.close();
  lap(`50 pictures at the ${worker} worker`);
}
await deployer.close();
await registry.close();
rmSync(base, { recursive: true, force: true });
process.exit(0);
