import { readFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Deployer } from '../../src/deploy/deployer.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { Registry } from '../../src/registry/registry.js';
import type { WheelSource } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { packageFile, phasedAlgorithm, wheelOf } from '../support/package-file.js';
import { temporaryFolder } from '../support/temp-folder.js';

const venvs = new VenvManager({ installer: 'link' });
const validator = new PackageValidator({ venvs });

/** Byte code as Python runs it without a source. */
async function byteCode(): Promise<Buffer> {
  const { path: python } = await venvs.select({});
  const file = path.join(await temporaryFolder(), 'made.pyc');
  const code =
    'import importlib._bootstrap_external as b, sys; ' +
    'open(sys.argv[1], "wb").write(b._code_to_timestamp_pyc(compile("VALUE = 1", "core.py", "exec")))';
  execFileSync(python, ['-I', '-c', code, file]);
  return readFile(file);
}

/** A package whose algorithm imports a module of this wheel. */
async function packageWith(line: string, wheel: Partial<WheelSource>, files: Record<string, Buffer> = {}) {
  const vendor = await wheelOf({ name: 'vendor', version: '1.0', ...wheel });
  const algorithm = phasedAlgorithm({ head: line });
  return packageFile({
    files: { ...algorithm.files, ...files },
    wheels: [vendor],
    requirements: 'procvision_algorithm_sdk\nvendor\n',
  });
}

const WHEEL = 'vendor-1.0-py3-none-any.whl';

test.each([
  [
    'import vendor.core',
    { 'vendor/__init__.py': '', 'vendor/core.pyc': '' },
    'vendor.core',
    'vendor/core.pyc',
  ],
  [
    'from vendor import core',
    { 'vendor/__init__.py': '', 'vendor/core.pyc': '' },
    'vendor.core',
    'vendor/core.pyc',
  ],
  ['import vendor', { 'vendor/__init__.pyc': '' }, 'vendor', 'vendor/__init__.pyc'],
])(
  'a wheel with byte code alone, met by `%s`, is told of with where it is',
  async (line, files, module, file) => {
    const code = await byteCode();
    const filled = Object.fromEntries(
      Object.entries(files).map(([name, text]) => [name, name.endsWith('.pyc') ? code : text]),
    );
    const target = await packageWith(line, { files: filled });
    const hint = `has ${module} as byte code alone (${file} in ${WHEEL}), which is left out and never run`;
    const warning = `${WHEEL}: byte code is never run and is left out: ${file}`;
    const { warnings, wheels } = await validator.inspect(target);
    expect(warnings).toContainEqual(expect.stringContaining(warning));
    expect(wheels.find(({ name }) => name === 'vendor')?.sourceless).toEqual([file]);
    const report = await validator.validate(target);
    expect(report.error).toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining(hint) as string,
    });
    expect(report.warnings).toContainEqual(expect.stringContaining(warning));
    await using registry = await Registry.open(path.join(await temporaryFolder(), 'store'), {
      durability: 'none',
    });
    await using deployer = new Deployer({ registry, venvs, validator });
    await expect(deployer.install(target)).rejects.toThrow(hint);
  },
);

test('a module of the project that is byte code alone is named where its import fails', async () => {
  const target = await packageWith(
    'import algorithm.secret',
    {},
    { 'algorithm/secret.pyc': await byteCode() },
  );
  const { error } = await validator.validate(target);
  expect(error?.message).toMatch(/has algorithm\.secret as byte code alone \(.*algorithm\/secret\.pyc\)/);
});

test('byte code beside its source, or in __pycache__, is left out without a word', async () => {
  const code = await byteCode();
  const files = {
    'vendor/__init__.py': '',
    'vendor/__init__.pyc': code,
    'vendor/__pycache__/a.cpython-311.pyc': code,
  };
  const { warnings, wheels } = await validator.inspect(await packageWith('import vendor', { files }));
  expect(warnings).toEqual([]);
  expect(wheels.every(({ sourceless }) => sourceless === undefined)).toBe(true);
});
