import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Deployer, PackageValidator, Registry, VenvManager } from '../../src/index.js';
import type { ArchiveLimits } from '../../src/package/types.js';
import { buildPackage, type PackageSource } from '../../src/testing/index.js';
import { wheelOf } from '../support/package-file.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

/** A host with an installer, without trial runs: what is bounded comes before them. */
async function host(installer: 'pip' | 'link', limits?: Partial<ArchiveLimits>) {
  const folder = await temporaryFolder();
  const registry = await Registry.open(path.join(folder, 'store'), { durability: 'none' });
  const venvs = new VenvManager({ installer });
  const validator = new PackageValidator({ venvs, smoke: false });
  const deployer = new Deployer({ registry, venvs, validator, limits });
  onTestFinished(async () => {
    await deployer.close();
    await registry.close();
  });
  const put = async (source: PackageSource) => {
    const file = path.join(folder, 'package.zip');
    await writeFile(file, await buildPackage(source));
    return file;
  };
  return { validator, deployer, venvs, put };
}

const MASK = Buffer.concat([Buffer.from('P5 2048 1024 255\n'), Buffer.alloc(2048 * 1024)]);
const padded = await wheelOf({
  name: 'lens',
  version: '1.0',
  files: { 'lens/__init__.py': '', 'lens.libs/libpad.so.6': Buffer.alloc(2_100_000) },
});
const HOLLOW: PackageSource = {
  files: {
    'algorithm/__init__.py': '',
    'assets/mask.pgm': MASK,
    'assets/zeros.npy': Buffer.alloc(20_000_000),
  },
  wheels: [padded],
  requirements: 'procvision_algorithm_sdk\nlens\n',
};

describe('masks, tensors of zeros and padded libraries, which deflate a thousandfold,', () => {
  test.each(['link', 'pip'] as const)(
    'are inspected, validated and installed alike by %s',
    async (installer) => {
      const { validator, deployer, put } = await host(installer);
      for (const stored of [false, true]) {
        const file = await put({ ...HOLLOW, stored, version: stored ? '2.0.0' : '1.0.0' });
        expect((await validator.inspect(file)).warnings).toEqual([]);
        expect((await validator.validate(file)).summary.status).toBe('PASS');
        await deployer.install(file);
      }
    },
  );
});

describe('a limit of the deployer', () => {
  test('holds for a file of a wheel, and the remedy of its message works', async () => {
    const strict = await host('link', { maxFileBytes: 1_000_000 });
    const file = await strict.put({ wheels: [padded], requirements: 'procvision_algorithm_sdk\nlens\n' });
    await expect(strict.deployer.install(file)).rejects.toMatchObject({
      code: 'invalid_zip',
      message: expect.stringMatching(
        /lens-1\.0-py3-none-any\.whl.*libpad\.so\.6.*2100000 bytes, more than the 1000000 .*raise maxFileBytes in the option limits/,
      ) as string,
    });
    const raised = await host('link', { maxFileBytes: 3_000_000 });
    await raised.deployer.install(await raised.put({ wheels: [padded] }));
  });

  test('that is none is refused with invalid_params', async () => {
    await expect(host('link', { maxEntries: 0 })).rejects.toMatchObject({ code: 'invalid_params' });
  });
});

test('the store of unpacked wheels keeps to the limits it is given', async () => {
  const { venvs } = await host('link');
  const { root, ...from } = await wheelFolder(
    [{ name: 'lens', version: '1.0', files: { 'lens/zeros.bin': Buffer.alloc(2_000_000) } }],
    'lens\n',
  );
  const [interpreter] = await venvs.interpreters();
  if (!interpreter) throw new Error('no Python');
  const venv = await venvs.create(path.join(root, 'venv'), { interpreter });
  await expect(venvs.install(venv, { ...from, limits: { maxFileBytes: 1_000_000 } })).rejects.toMatchObject({
    code: 'invalid_zip',
    message: expect.stringContaining('zeros.bin') as string,
  });
  expect((await venvs.install(venv, from)).installed).toMatchObject([{ name: 'lens' }]);
});
