import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { pythonEnvironment } from '../../src/process/environment.js';
import { run } from '../../src/process/run.js';
import { buildWheel, wheelFileName, writeZip } from '../../src/testing/index.js';
import { programName, SCRIPTS_IN } from '../support/environment-places.js';
import { packageHost as host } from '../support/package-host.js';

async function findFile(root: string, ending: string): Promise<string> {
  const found = (await readdir(root, { recursive: true })).find((file) =>
    file.split(path.sep).join('/').endsWith(ending),
  );
  return path.join(root, found ?? ending);
}

const python = (file: string, ...args: string[]) =>
  run(file, args, { env: pythonEnvironment(), timeoutMs: 30_000 });

describe('a package with its environment', () => {
  test.each([
    { generation: 'phased' as const, layout: 'beside' as const, installer: 'pip' as const },
    { generation: 'execute-only' as const, layout: 'flat' as const, installer: 'link' as const },
    { generation: 'phased' as const, layout: 'inside' as const, installer: 'link' as const },
  ])(
    'of the $generation generation, laid out $layout, by $installer, runs from where it is',
    async (given) => {
      const { installer, ...source } = given;
      const { registry, deployer, venvs, zip } = await host(installer);
      const checks: string[] = [];
      deployer.on('check', ({ name, result }) => checks.push(`${name} ${result}`));
      const entry = await deployer.install(await zip(source));
      expect(entry).toMatchObject({
        generation: source.generation,
        has_numpy: expect.any(Boolean) as boolean,
        has_pillow: expect.any(Boolean) as boolean,
      });
      expect(checks).toEqual(
        expect.arrayContaining(['manifest_load PASS', 'entry_import PASS', 'smoke_execute PASS']),
      );
      const venv = await venvs.load(registry.layout.venv('sample', '1.0.0'));
      const said = await python(
        venv.python,
        '-c',
        'import sys, procvision_algorithm_sdk as s; print(sys.prefix); print(s.__file__)',
      );
      expect(said.stdout.trim().split(/\r?\n/)).toEqual([
        registry.layout.venv('sample', '1.0.0'),
        expect.stringContaining(registry.layout.venv('sample', '1.0.0')) as string,
      ]);
      await venvs.verify(venv);
      expect(await deployer.verify('sample', '1.0.0')).toMatchObject({ intact: true });
    },
  );

  test.each(['pip', 'link'] as const)(
    'by %s tells in its event what is odd about the package and about its wheels, each once, and nothing of one without',
    async (installer) => {
      const { deployer, zip } = await host(installer);
      const heard: string[][] = [];
      deployer.on('installed', ({ warnings }) => heard.push(warnings));
      const info = 'lens-1.0.dist-info';
      const metadata = 'Metadata-Version: 2.1\nName: lens\nVersion: 1.0\n\n';
      const lens = writeZip([
        { name: 'lens.py', data: '' },
        { name: `${info}/METADATA`, data: metadata },
        { name: `${info}/WHEEL`, data: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n' },
        // As if METADATA had been written anew after it, in the same length.
        {
          name: `${info}/RECORD`,
          data: `lens.py,,\n${info}/METADATA,sha256=${'A'.repeat(43)},${metadata.length}\n`,
        },
      ]);
      const wheels = [
        { file: 'lens-1.0-py3-none-any.whl', bytes: lens },
        { file: 'notes.txt', bytes: Buffer.from('read me') },
      ];
      await deployer.install(await zip({ wheels, requirements: 'procvision_algorithm_sdk\nlens\n' }));
      await deployer.install(await zip({ version: '1.1.0' }));
      expect(heard).toEqual([
        [
          expect.stringMatching(/notes\.txt in the wheels folder is no wheel and is not used/),
          expect.stringMatching(/lens-1\.0-py3-none-any\.whl.*METADATA differs from its RECORD/),
        ],
        [],
      ]);
    },
  );

  test('names no path of the staging folder in any of its text files', async () => {
    const { registry, deployer, zip } = await host();
    const tool = {
      ...{ name: 'tool', version: '1.0', scripts: { tool: 'tool:main' } },
      files: { 'tool.py': 'def main(): print("hello")\n' },
    };
    const wheels = [{ file: wheelFileName(tool), bytes: await buildWheel(tool) }];
    await deployer.install(await zip({ wheels, requirements: 'procvision_algorithm_sdk\ntool\n' }));
    const root = registry.layout.deployed('sample', '1.0.0');
    const said = await python(path.join(root, 'venv', SCRIPTS_IN, programName('tool')));
    expect(said).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^hello\r?\n$/) as string });
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.endsWith('.pyc')) continue;
      const text = await readFile(path.join(entry.parentPath, entry.name), 'latin1');
      expect(text.includes('.staging'), path.join(entry.parentPath, entry.name)).toBe(false);
    }
  });
});

test('two versions share the files of their wheels; the last one that goes takes them along', async () => {
  const { registry, deployer, zip, files } = await host();
  const before = await files();
  for (const version of ['1.0.0', '2.0.0']) await deployer.install(await zip({ version }));
  const sdk = (version: string) =>
    findFile(registry.layout.deployed('sample', version), 'procvision_algorithm_sdk/__init__.py');
  const [first, second] = [await stat(await sdk('1.0.0')), await stat(await sdk('2.0.0'))];
  expect(first.ino).toBe(second.ino);
  await deployer.uninstall('sample', '1.0.0');
  expect(await deployer.verify('sample', '2.0.0')).toMatchObject({ intact: true });
  await deployer.uninstall('sample', '2.0.0');
  expect((await files()).filter((file) => file.includes('/entries/') && file.endsWith('.py'))).toEqual([]);
  const isOfWheels = (file: string) => file.includes('.wheels');
  expect((await files()).filter((file) => !isOfWheels(file))).toEqual(before);
});

describe('a package at fault', () => {
  test.each([
    {
      fault: 'an import that raises',
      code: 'install_failed',
      source: {
        files: { 'algorithm/__init__.py': '', 'algorithm/main.py': 'raise ImportError("no camera")\n' },
      },
    },
    {
      fault: 'a requirement without a wheel',
      code: 'wheels_missing',
      source: { requirements: 'procvision_algorithm_sdk\nnot-there\n' },
    },
    {
      fault: 'no manifest field',
      code: 'manifest_invalid',
      source: { manifest: { entry_point: undefined } },
    },
  ])('($fault) is refused with $code and leaves the store as it was', async ({ code, source }) => {
    const { deployer, zip, files } = await host();
    const before = await files();
    await expect(deployer.install(await zip(source))).rejects.toMatchObject({ code });
    expect(await files()).toEqual(before);
  });

  test('uploaded as a stream leaves nothing in zips/', async () => {
    const { deployer, zip, files } = await host();
    const before = await files();
    const file = await zip({ requirements: 'not-there\n' });
    await expect(deployer.install(createReadStream(file))).rejects.toMatchObject({ code: 'wheels_missing' });
    expect(await files()).toEqual(before);
  });

  test('aborted while its environment is made leaves no file and no process', async () => {
    const { deployer, zip, files } = await host();
    const before = await files();
    const abort = new AbortController();
    deployer.on('progress', ({ stage }) => {
      if (stage === 'environment') abort.abort();
    });
    await expect(deployer.install(await zip(), { signal: abort.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(await files()).toEqual(before);
  });
});
