import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { assetPath, loadPeer } from '../../src/assets.js';
import { Deployer } from '../../src/deploy/deployer.js';
import {
  AlgorithmSupervisor,
  FramePool,
  PackageValidator,
  VenvManager,
  type Registry,
} from '../../src/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

const sources = fileURLToPath(new URL('../../src/', import.meta.url));

afterEach(() => {
  delete process.env.PROCVISION_ASSETS;
});

test('a file is found beside the modules, and in the folder that the variable names', () => {
  expect(assetPath('validation/probe.py')).toBe(path.join(sources, 'validation/probe.py'));
  process.env.PROCVISION_ASSETS = path.join(sources, '..', 'src');
  expect(assetPath('validation/probe.py')).toBe(path.join(sources, 'validation/probe.py'));
});

test('a folder without the files is named with what to do, and no interpreter is blamed', async () => {
  process.env.PROCVISION_ASSETS = await temporaryFolder();
  await expect(new VenvManager({ python: 'python3' }).interpreters()).rejects.toMatchObject({
    code: 'start_failed',
    message: expect.stringContaining('PROCVISION_ASSETS') as string,
    details: { path: process.env.PROCVISION_ASSETS },
  });
});

test('a folder in an archive, which Node may be able to read and Python is not, is named with how to unpack it', () => {
  process.env.PROCVISION_ASSETS = '/cache/procvision-runner.zip/node_modules/procvision-runner/dist';
  expect(() => assetPath('validation/probe.py')).toThrow(
    expect.objectContaining({
      code: 'start_failed',
      message: expect.stringContaining('yarn unplug procvision-runner') as string,
    }),
  );
});

test('a peer is looked for from the folder with the files', async () => {
  const folder = await temporaryFolder();
  await mkdir(path.join(folder, 'dist/worker'), { recursive: true });
  await writeFile(path.join(folder, 'dist/worker/launch.py'), '');
  await mkdir(path.join(folder, 'node_modules/a-peer'), { recursive: true });
  await writeFile(path.join(folder, 'node_modules/a-peer/index.js'), 'module.exports = 7');
  expect(() => loadPeer('a-peer')).toThrow('a-peer');
  process.env.PROCVISION_ASSETS = path.join(folder, 'dist');
  expect(loadPeer('a-peer')).toBe(7);
});

/** Each door that takes the option. */
const DOORS: Record<string, (assets: string) => unknown> = {
  VenvManager: (assets) => new VenvManager({ assets }),
  PackageValidator: (assets) => new PackageValidator({ assets }),
  FramePool: (assets) => new FramePool({ assets }),
  AlgorithmSupervisor: (assets) => new AlgorithmSupervisor({ registry, assets }),
  Deployer: (assets) => new Deployer({ registry, assets }),
};
/** A registry is known by its methods; none is called here. */
const registry = { resolve: String, register: String, use: String } as unknown as Registry;

test.each(Object.entries(DOORS))(
  'an option assets of %s without the files is refused by its name',
  async (_, open) => {
    const folder = await temporaryFolder();
    expect(() => open(folder)).toThrow(
      expect.objectContaining({
        code: 'invalid_params',
        message: `assets: ${folder} has no worker/launch.py. It must be a copy of the folder dist of procvision-runner`,
        details: { path: 'assets' },
      }),
    );
  },
);

// The last: what is chosen is chosen for the process, here that of this file.
test('the option comes before the variable, and another folder in the same process is refused', async () => {
  process.env.PROCVISION_ASSETS = await temporaryFolder();
  const venvs = new VenvManager({ python: 'python3', assets: sources });
  expect(await venvs.interpreters()).toHaveLength(1);
  new FramePool({ assets: `${sources}/` });
  expect(() => new FramePool({ assets: process.env.PROCVISION_ASSETS })).toThrow(
    expect.objectContaining({
      code: 'invalid_params',
      message: expect.stringContaining(`this process uses ${path.resolve(sources)} already`) as string,
    }),
  );
});
