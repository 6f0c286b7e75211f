import { expect, test } from 'vitest';
import { packageHost } from '../support/package-host.js';

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

test('an algorithm that writes into a shared wheel while it is on trial is kept from it, for root too', async () => {
  const { deployer, venvs, registry, zip } = await packageHost();
  await deployer.install(await zip());
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': WRITER };
  await expect(deployer.install(await zip({ version: '2.0.0', files }))).rejects.toMatchObject({
    code: 'install_failed',
    message: expect.stringContaining('refused, its child too') as string,
  });
  await venvs.verify(await venvs.load(registry.layout.venv('sample', '1.0.0')));
});
