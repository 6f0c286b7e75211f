import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { PNG } from 'pngjs';
import { expect, test } from 'vitest';
import { buildStandInSdk } from '../../src/testing/index.js';
import { cliFolder } from '../support/cli.js';
import { HAS_PIP } from '../support/pip-of-python.js';

test.each(['phased', 'execute-only'] as const)(
  'from init of a %s package to its verdict on a station',
  async (generation) => {
    const cli = await cliFolder();
    const { folder } = cli;
    expect(await cli.run('init', 'dark-check', '--generation', generation, '--id', 'P7')).toMatchObject({
      code: 0,
    });
    const project = path.join(folder, 'dark-check');
    const { stderr } = await promisify(execFile)('python3', ['-m', 'unittest', '-v'], { cwd: project });
    expect(stderr).toMatch(/Ran 3 tests[^]*OK/);

    const noWheels = await cli.run('pack', 'dark-check');
    expect(noWheels).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('give --wheels FOLDER, or --index') as string,
    });
    const sdk = await buildStandInSdk({ generation });
    await mkdir(path.join(folder, 'wheels'));
    await writeFile(path.join(folder, 'wheels', sdk.file), sdk.bytes);
    const packed = await cli.run('pack', 'dark-check', '--wheels', 'wheels', '--json');
    expect(packed).toMatchObject({ code: 0 });
    expect(packed.json()).toMatchObject({ name: 'dark-check', version: '0.1.0', wheels: [sdk.file] });

    const zip = 'dark-check-v0.1.0-offline.zip';
    const checked = await cli.run('check', zip);
    expect([checked.code, checked.stdout]).toEqual([0, expect.stringMatching(/PASS: \d+ passed, 0 failed/)]);
    expect(await cli.run('install', zip)).toMatchObject({ code: 0 });
    const png = new PNG({ width: 8, height: 6 });
    png.data = Buffer.alloc(8 * 6 * 3, 5);
    await writeFile(
      path.join(folder, 'dark.png'),
      PNG.sync.write(png, { colorType: 2, inputColorType: 2, inputHasAlpha: false }),
    );
    const run = await cli.run('run', 'dark-check', '0.1.0', 'dark.png', '--guide', 'same');
    expect(run.stdout).toMatch(/dark\.png +NG +too dark: 5 of 255/);
    expect((await readdir(folder)).sort()).toEqual(
      ['dark-check', zip, 'dark.png', 'station', 'wheels'].sort(),
    );
  },
);

test('a project folder is checked and installed as it is, marked as local; --stand-in-sdk packs one without an index', async () => {
  const cli = await cliFolder();
  await cli.run('init', 'dark-check', '--id', 'P7');
  expect(await cli.run('pack', 'dark-check', '--stand-in-sdk', '--out', 'out/x.zip')).toMatchObject({
    code: 0,
  });
  expect(await cli.run('install', 'out/x.zip', '--activate', 'P7')).toMatchObject({ code: 0 });
  const manifest = path.join(cli.folder, 'dark-check/manifest.json');
  await writeFile(manifest, (await readFile(manifest, 'utf8')).replaceAll('0.1.0', '0.2.0'));
  const main = path.join(cli.folder, 'dark-check/algorithm/main.py');
  await writeFile(main, (await readFile(main, 'utf8')).replaceAll('0.1.0', '0.2.0'));
  const sdk = await buildStandInSdk({ generation: 'phased' });
  await mkdir(path.join(cli.folder, 'dark-check/wheels'));
  await writeFile(path.join(cli.folder, 'dark-check/wheels', sdk.file), sdk.bytes);
  const installed = await cli.run('install', 'dark-check', '--json');
  expect(installed.json()).toMatchObject({ entry: { version: '0.2.0', origin: 'local' } });
});

test('a project that is packed into its own folder, again and again, never holds a package, and gives the same bytes', async () => {
  const cli = await cliFolder();
  await cli.run('init', 'dark-check');
  const zip = 'dark-check/dark-check-v0.1.0-offline.zip';
  const pack = (out: string) => cli.run('pack', 'dark-check', '--stand-in-sdk', '--out', out);
  expect(await pack(zip)).toMatchObject({ code: 0 });
  const first = await readFile(path.join(cli.folder, zip));
  expect(await pack(zip)).toMatchObject({ code: 0 });
  expect(first.equals(await readFile(path.join(cli.folder, zip)))).toBe(true);
  expect(first.includes('.part')).toBe(false);
  expect(await pack('dark-check/dist/x.zip')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('would go into its next package') as string,
  });
});

test.each([
  ['pack nothing-here', 3, 'There is no project folder nothing-here'],
  ['pack .', 2, 'has no manifest.json'],
  ['init bad!name', 2, 'cannot be the name of a package'],
])('%s is refused', async (line, code, message) => {
  const cli = await cliFolder();
  const outcome = await cli.run(...line.split(' '));
  expect(outcome).toMatchObject({ code, stderr: expect.stringContaining(message) as string });
  expect(await readdir(cli.folder)).toEqual([]);
});

test.skipIf(!HAS_PIP)(
  `wheels that the requirements ask for and no folder has fail pack in the words of pip, and leave no file${HAS_PIP ? '' : ' (skipped: this Python has no pip)'}`,
  async () => {
    const cli = await cliFolder();
    await cli.run('init', 'dark-check');
    await mkdir(path.join(cli.folder, 'wheels'));
    await writeFile(path.join(cli.folder, 'wheels/other-1.0-py3-none-any.whl'), 'no wheel');
    const outcome = await cli.run('pack', 'dark-check', '--wheels', 'wheels');
    expect(outcome).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('procvision_algorithm_sdk==0.0.7') as string,
    });
    expect((await readdir(cli.folder)).sort()).toEqual(['dark-check', 'wheels']);
  },
);
