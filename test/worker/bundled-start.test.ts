import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { assetPath } from '../../src/assets.js';
import { AlgorithmWorker } from '../../src/worker/algorithm-worker.js';
import { algorithmFolder } from '../support/algorithm-folder.js';
import { phasedSource } from '../support/bundled-worker.js';
import { pythonsAtHand } from '../support/pythons.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { IS_WINDOWS } from '../support/platform.js';

const execute = promisify(execFile);
const SDK = 'procvision_algorithm_sdk';
const METADATA = 'Metadata-Version: 2.1\nName: procvision-algorithm-sdk\n';

test('a worker that starts imports nothing that takes long and that the algorithm does not need', async () => {
  const spec = await algorithmFolder(phasedSource('import sys\nreturn ok(modules=sorted(sys.modules))'));
  const metadata = path.join(spec.root, `${SDK}-0.0.7.dist-info`, 'METADATA');
  await mkdir(path.dirname(metadata));
  await writeFile(metadata, `${METADATA}Version: 0.0.7\n`);
  await using worker = new AlgorithmWorker({ ...spec, flavour: 'bundled' });
  await worker.start();
  const { data } = await worker.call({ phase: 'execute' });
  const { modules: all } = data.debug as { modules: string[] };
  // What this machine's own Python imports at its start is not ours.
  const { stdout } = await execute('python3', ['-c', 'import sys; print(*sys.modules)']);
  const modules = all.filter((name) => !stdout.trim().split(' ').includes(name));
  expect(modules).toContain('json');
  // Where a pipe cannot be waited for beside others (Windows) a thread reads it into a queue.
  const queue = IS_WINDOWS ? [] : ['queue'];
  for (const slow of ['argparse', 'email', 'importlib.metadata', 'traceback', ...queue]) {
    expect(modules).not.toContain(slow);
  }
  expect(worker.ready?.sdkVersion).toBe('0.0.7');
});

/** What lies in each folder of the path: files by their names. */
const PATHS: Record<string, Record<string, string>[]> = {
  'a wheel': [{ [`${SDK}-0.0.7.dist-info/METADATA`]: `${METADATA}Version: 0.0.7\n` }],
  'a wheel whose folder spells the version otherwise': [
    { [`${SDK}-1.0_beta.dist-info/METADATA`]: `${METADATA}VERSION:1.0-beta\n\nVersion: 9\n` },
  ],
  'a name with dots and capitals, which Python 3.10 and later know': [
    { 'Procvision.Algorithm.SDK-2.0.dist-info/METADATA': `${METADATA}Version: 2.0\n` },
  ],
  'two folders, the first without it': [
    { 'procvision_algorithm_sdk_more-3.dist-info/METADATA': 'Version: 3\n' },
    { [`${SDK}-4.0.dist-info/METADATA`]: `${METADATA}Version: 4.0\n` },
    { [`${SDK}-5.0.dist-info/METADATA`]: `${METADATA}Version: 5.0\n` },
  ],
  "setuptools' develop mode before a wheel": [
    { [`${SDK}.egg-info/PKG-INFO`]: `${METADATA}Version: 6.0\n` },
    { [`${SDK}-7.0.dist-info/METADATA`]: `${METADATA}Version: 7.0\n` },
  ],
  'an egg': [{}, { [`${SDK}-8.0.egg-info/PKG-INFO`]: `${METADATA}Version: 8.0\n` }],
  'nothing of it': [{ 'numpy-2.2.6.dist-info/METADATA': 'Name: numpy\nVersion: 2.2.6\n' }],
};

test.each(Object.entries(PATHS))('%s: the version is that of importlib.metadata', async (_, folders) => {
  const top = await temporaryFolder();
  const places = folders.map((_files, index) => path.join(top, String(index)));
  for (const [index, files] of folders.entries()) {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(places[index] ?? '', name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, content);
    }
  }
  const script = `import json, sys
sys.path[1:1] = ${JSON.stringify([...places, path.join(top, 'missing')])}
sys.path.insert(0, ${JSON.stringify(path.dirname(assetPath('worker/bundled/main.py')))})
from procvision_bundled_worker.installed import version_of
found = version_of("${SDK}")
try:
    from importlib.metadata import version
    expected = version("${SDK}")
except Exception:
    expected = None
print(json.dumps([found, expected]))`;
  for (const python of await pythonsAtHand()) {
    const { stdout } = await execute(python, ['-B', '-c', script]);
    const [found, expected] = JSON.parse(stdout) as unknown[];
    expect(found, python).toBe(expected);
  }
});
