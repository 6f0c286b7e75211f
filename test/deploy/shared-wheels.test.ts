import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { buildWheel, wheelFileName } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { packageHost } from '../support/package-host.js';
import { IS_WINE } from '../support/platform.js';

/** An algorithm that opens a file of its SDK for writing when it is imported, by itself and by a child. */
const WRITER = `
import subprocess, sys
import procvision_algorithm_sdk as sdk

def write():
    with open(sdk.__file__, "r+b") as file:
        file.write(b"# mine now")

try:
    write()
except PermissionError:
    code = "import sys; open(sys.argv[1], 'r+b').write(b'# mine now')"
    child = subprocess.run([sys.executable, "-c", code, sdk.__file__], stderr=-1, universal_newlines=True)
    raise SystemExit("refused, its child too" if "PermissionError" in child.stderr else "written by its child")
raise SystemExit("written")
`;

// Wine's user is root to Linux, whom the mark read-only does not bind.
test.skipIf(IS_WINE)(
  'an algorithm that writes into a shared wheel while it is on trial is kept from it, for root too',
  async () => {
    const { deployer, venvs, registry, zip } = await packageHost();
    await deployer.install(await zip());
    const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': WRITER };
    await expect(deployer.install(await zip({ version: '2.0.0', files }))).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining('refused, its child too') as string,
    });
    await venvs.verify(await venvs.load(registry.layout.venv('sample', '1.0.0')));
  },
);

test('files that the policy of a version names, or its install, are its own; its next install keeps to them', async () => {
  const validator = new PackageValidator({ smoke: false });
  const { deployer, venvs, registry, zip } = await packageHost('link', { validator, compileBytecode: false });
  const source = {
    name: 'optics',
    version: '1.0',
    files: { 'optics/__init__.py': '', 'optics/net.bin': 'x' },
  };
  const wheels = [{ file: wheelFileName(source), bytes: await buildWheel(source) }];
  const requirements = 'procvision_algorithm_sdk\noptics\n';
  /** How many names the two files have in a version: more than one where it shares them. */
  const names = async (version: string) => {
    const { sitePackages } = await venvs.load(registry.layout.venv('sample', version));
    const files = ['__init__.py', 'net.bin'].map((file) => lstat(path.join(sitePackages, 'optics', file)));
    return (await Promise.all(files)).map(({ nlink }) => nlink);
  };
  const install = async (version: string, o: object = {}) => {
    await deployer.install(await zip({ version, wheels, requirements }), o);
    return names(version);
  };
  const [first = 0, second] = await install('1.0.0');
  expect(second).toBe(first);
  const more = first > 1 ? first + 1 : 1; // one where the disk clones
  expect((await install('2.0.0', { ownFiles: ['*.bin'] }))[1]).toBe(1);
  expect(await names('1.0.0')).toEqual([more, first]);

  const named = { name: 'sample', version: '1.0.0' };
  await registry.configure({ ...named, policy: { ownFiles: ['NET.*'] } });
  expect((await install('1.0.0', { force: true }))[1]).toBe(1);
  expect(await registry.get('sample', '1.0.0')).toMatchObject({ own_files: ['NET.*'] });
  await registry.configure({ ...named, policy: {} });
  expect((await install('1.0.0', { force: true }))[1]).toBe(1);
  expect((await install('1.0.0', { force: true, ownFiles: [] }))[1]).toBe(first);
});
