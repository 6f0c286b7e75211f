import { access, chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AlgorithmSupervisor, Deployer, FramePool, Registry, VenvManager } from '../../src/index.js';
import { resolvePolicy } from '../../src/supervisor/policy.js';
import { buildPackage } from '../../src/testing/index.js';
import { IS_WINDOWS } from '../support/platform.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const PYTHON = '/usr/bin/python3';
const hasPython = await access(PYTHON).then(
  () => true,
  () => false,
);
/** Only root can give processes to others, and an interpreter below /root is nobody else's to run. */
const isPossible = process.getuid?.() === 0 && hasPython;

const USER = 54_321;
const GROUP = 54_322;
const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };

async function deployed(): Promise<Registry> {
  const folder = await temporaryFolder();
  await chmod(folder, 0o755);
  const registry = await Registry.open(path.join(folder, 'store'), { durability: 'none' });
  const venvs = new VenvManager({
    python: PYTHON,
    installer: 'link',
    wheelStore: registry.layout.wheelStore,
  });
  await using deployer = new Deployer({ registry, venvs });
  const zip = path.join(folder, 'package.zip');
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': steeredAlgorithm() };
  await writeFile(zip, await buildPackage({ files }));
  await deployer.install(zip);
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  onTestFinished(() => registry.close());
  return registry;
}

describe.skipIf(!isPossible)('workers with a uid and a gid', () => {
  test.each(['sdk', 'bundled'] as const)(
    'of the %s adapter run as that user, under any umask of the host, and see the image itself',
    async (worker) => {
      const umask = process.umask(0o077);
      onTestFinished(() => void process.umask(umask));
      const registry = await deployed();
      const policy = { uid: USER, gid: GROUP };
      await using supervisor = new AlgorithmSupervisor({ registry, worker, policy });
      const result = await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
      const debug = result.data.debug as { worker_pid: number; first: number[] };
      expect(debug.first).toEqual([200, 200, 200]);
      const status = await readFile(`/proc/${debug.worker_pid}/status`, 'utf8');
      expect(status).toMatch(new RegExp(`^Uid:\\s+${USER}\\s+${USER}\\s+${USER}`, 'm'));
      expect(status).toMatch(new RegExp(`^Gid:\\s+${GROUP}\\s+${GROUP}\\s+${GROUP}`, 'm'));
      expect(status).toMatch(/^Groups:\s*$/m);
    },
  );

  test.each(['sdk', 'bundled'] as const)(
    'of the %s adapter that may not enter a folder above their files fail to start by its name, its mode and the remedy',
    async (worker) => {
      const registry = await deployed();
      const closed = path.dirname(registry.layout.root);
      await chmod(closed, 0o700);
      const policy = { uid: USER, gid: GROUP };
      await using supervisor = new AlgorithmSupervisor({ registry, worker, policy });
      await expect(supervisor.start('sample', '1.0.0')).rejects.toMatchObject({
        code: 'start_failed',
        message: expect.stringMatching(
          `user ${USER} \\(group ${GROUP}\\) may not enter .*${path.basename(closed).slice(-6)} \\(mode 700, owner 0, group 0\\).*chmod o\\+x`,
        ) as string,
      });
    },
  );
});

test('a uid without a gid stands for both', () => {
  expect(resolvePolicy({ uid: USER }, 'linux')).toMatchObject({ uid: USER, gid: USER });
  expect(resolvePolicy({ gid: GROUP }, 'linux')).toMatchObject({ uid: undefined, gid: GROUP });
});

test.skipIf(IS_WINDOWS)(
  'frames that the workers could not read are refused: they would inspect black images',
  async () => {
    await using registry = await Registry.open(await temporaryFolder(), { durability: 'none' });
    await using frames = new FramePool();
    expect(() => new AlgorithmSupervisor({ registry, frames, policy: { gid: GROUP } })).toThrow(
      expect.objectContaining({ code: 'invalid_params', details: { path: 'frames' } }) as Error,
    );
  },
);

test('a uid on Windows is unsupported_platform', () => {
  expect(() => resolvePolicy({ uid: USER }, 'win32')).toThrow(
    expect.objectContaining({ code: 'unsupported_platform' }) as Error,
  );
});
