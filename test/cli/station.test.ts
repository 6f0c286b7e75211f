import { createReadStream } from 'node:fs';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import { Registry } from '../../src/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { buildPackage } from '../../src/testing/index.js';
import { deployBrightness, writePictures } from '../support/brightness.js';
import { cliFolder } from '../support/cli.js';
import { cliStation } from '../support/cli-station.js';

async function pictureFile(folder: string, name: string, value: number): Promise<void> {
  const png = new PNG({ width: 40, height: 30 });
  png.data = Buffer.alloc(40 * 30 * 3, value);
  await writeFile(
    path.join(folder, name),
    PNG.sync.write(png, { colorType: 2, inputColorType: 2, inputHasAlpha: false }),
  );
}

test('a package is installed from a file, from stdin and again, activated, inspected with, and removed', async () => {
  const cli = await cliFolder();
  const zip = path.join(cli.folder, 'board.zip');
  await writeFile(zip, await buildPackage({ name: 'board-check', productIds: ['BOARD-7'] }));
  await pictureFile(cli.folder, 'a.png', 90);

  const first = await cli.run('install', 'board.zip', '--activate', '--json', '--operator', 'anna');
  expect(first).toMatchObject({ code: 0 });
  expect(first.json()).toMatchObject({
    installed: true,
    product_ids: ['BOARD-7'],
    entry: { name: 'board-check', operator: 'anna' },
  });
  expect(first.stderr).toContain('smoke');
  const again = await cli.runWith({ stdin: createReadStream(zip) }, 'install', '-');
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('was deployed already') as string });

  const run = await cli.run('run', 'BOARD-7', 'a.png', '--params', '{"ng": true}', '--out', 'out', '--json');
  expect(run).toMatchObject({ code: 0 }); // NG is a verdict
  expect(run.json()).toMatchObject([{ picture: 'a.png', result: { data: { result_status: 'NG' } } }]);
  const annotated = PNG.sync.read(await readFile(path.join(cli.folder, 'out/a.png')));
  expect([...annotated.data.subarray(0, 3)]).toEqual([220, 40, 40]); // the frame of a picture that is NG
  const byVersion = await cli.run('run', 'board-check', '1.0.0', 'a.png', 'a.png');
  expect(byVersion.stdout.match(/a\.png +OK/g)).toHaveLength(2);

  const refused = await cli.run('uninstall', 'board-check', '1.0.0', '--json');
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.json()).toMatchObject({ error: { code: 'unsafe_uninstall' } });
  expect(await cli.run('deactivate', 'BOARD-7')).toMatchObject({ code: 0 });
  expect(await cli.run('uninstall', 'board-check', '1.0.0')).toMatchObject({ code: 0 });
  expect((await cli.run('list', '--json')).json()).toEqual([]);
});

test('run reads pictures by the rules that it is given: a turn, 16 bits, and who decodes', async () => {
  const cli = await cliFolder();
  await writeFile(
    path.join(cli.folder, 'p.zip'),
    await buildPackage({ name: 'board-check', productIds: ['A01'] }),
  );
  await cli.run('install', 'p.zip', '--activate');
  await sharp({ create: { width: 8, height: 6, channels: 3, background: '#404040' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toFile(path.join(cli.folder, 'turned.jpg'));
  for (const [orientation, size] of [
    ['apply', { width: 6, height: 8 }],
    ['ignore', { width: 8, height: 6 }],
  ] as const) {
    const flags = ['--out', 'out', '--orientation', orientation];
    expect(await cli.run('run', 'A01', 'turned.jpg', ...flags)).toMatchObject({ code: 0 });
    expect(PNG.sync.read(await readFile(path.join(cli.folder, 'out/turned.png')))).toMatchObject(size);
  }
  const wide = new PNG({ width: 8, height: 6 });
  wide.data = Buffer.alloc(8 * 6 * 2, 64);
  const sixteen = { bitDepth: 16, colorType: 0, inputColorType: 0, inputHasAlpha: false } as const;
  await writeFile(path.join(cli.folder, 'wide.png'), PNG.sync.write(wide, sixteen));
  expect(await cli.run('run', 'A01', 'wide.png')).toMatchObject({ code: 1 });
  expect(await cli.run('run', 'A01', 'wide.png', '--to-eight-bits', 'shift')).toMatchObject({ code: 0 });
  const handedOn = await cli.run(
    'run',
    'A01',
    'turned.jpg',
    '--orientation',
    'ignore',
    '--decode',
    'package',
  );
  expect(handedOn).toMatchObject({ code: 1, stderr: expect.stringContaining('needs Pillow') as string });
  const unknown = await cli.run('run', 'A01', 'wide.png', '--decode', 'me');
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('host or package') as string });
});

test('product ids are activated, switched and rolled back; list, info, status and logs show it', async () => {
  const cli = await cliStation();
  expect((await cli.run('activate', 'board-check', '1.0.0')).stdout).toBe(
    'board-check 1.0.0 serves A01, A02\n',
  );
  expect((await cli.run('switch', 'board-check', '1.1.0')).stdout).toBe(
    'board-check 1.1.0 serves A01, A02\n',
  );
  expect((await cli.run('rollback', 'A02')).stdout).toBe('board-check 1.0.0 serves A02\n');
  const list = await cli.run('list');
  expect(list.stdout).toMatch(/board-check {2}1\.0\.0 {4}deployed {2}A02/);
  expect(list.stdout).toMatch(/board-check {2}1\.1\.0 {4}deployed {2}A01/);
  expect((await cli.run('info', 'board-check', '1.1.0', '--json')).json()).toMatchObject({
    ...{ entry: { version: '1.1.0' }, active_for: ['A01'], users: [] },
    manifest: { entry_point: 'main:Algorithm' },
  });
  expect((await cli.run('status', '--json')).json()).toMatchObject([
    { active_for: ['A02'] },
    { active_for: ['A01'] },
  ]);
  const logs = await cli.run('logs', '--lines', '2');
  expect(logs.stdout.trim().split('\n')).toEqual([
    expect.stringContaining('switch board-check 1.1.0 A01,A02 ok'),
    expect.stringContaining('rollback'),
  ]);
});

test('start --once proves that what is active starts; a version that does not is named with exit 1', async () => {
  const cli = await cliStation();
  const started = await cli.run('start', '--once', '--json');
  expect(started).toMatchObject({ code: 0 });
  expect(started.json()).toMatchObject({ started: [{ name: 'board-check', version: '1.0.0' }], failed: [] });
  const registry = await Registry.open(path.join(cli.folder, 'station'));
  await deployVersion(registry, {
    name: 'broken',
    productIds: ['B'],
    source: 'raise RuntimeError("no licence")',
  });
  await registry.close();
  await cli.run('activate', 'broken', '1.0.0');
  const failed = await cli.run('start', '--once');
  expect(failed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('failed: broken 1.0.0') as string,
  });
  const logs = await cli.run('logs', 'board-check');
  expect(logs.stdout).toContain('the worker is ready');
});

test('a command that is interrupted exits with 130 and leaves nothing of it behind', async () => {
  const cli = await cliFolder();
  await writeFile(path.join(cli.folder, 'board.zip'), await buildPackage());
  const interrupt = new AbortController();
  const onOutput = (text: string) => {
    if (text.includes('environment')) interrupt.abort();
  };
  const outcome = await cli.runWith({ interrupted: interrupt.signal, onOutput }, 'install', 'board.zip');
  expect(outcome).toMatchObject({ code: 130 });
  const algorithms = path.join(cli.folder, 'station/algorithms');
  const staging = await readdir(path.join(algorithms, '.staging')).catch(() => []);
  expect(staging).toEqual([]);
  expect((await cli.run('list', '--json')).json()).toEqual([]);
});

test('start --once proves nothing when it is interrupted: exit 130', async () => {
  const cli = await cliStation();
  const interrupt = new AbortController();
  interrupt.abort();
  expect(await cli.runWith({ interrupted: interrupt.signal }, 'start', '--once')).toMatchObject({
    code: 130,
  });
});

test('a word without letters is shown between quotes', async () => {
  const cli = await cliStation();
  expect((await cli.run('deactivate', '')).stderr).toContain("Product id '' is not active");
  expect((await cli.run('info', ' ', '1')).stderr).toContain("' ' is not deployed");
  expect(await cli.run('install', '')).toMatchObject({
    ...{ code: 3, stderr: expect.stringContaining("There is no package ''") as string },
  });
});

test('commands that only an interrupt ends exit with 0 by it', async () => {
  const cli = await cliStation();
  for (const argv of [
    ['start'],
    ['watch'],
    ['status', '--follow'],
    ['logs', '--follow'],
    ['serve', '--port', '0'],
  ]) {
    const interrupt = new AbortController();
    const outcome = await cli.runWith(
      { interrupted: interrupt.signal, onOutput: () => interrupt.abort() },
      ...argv,
    );
    expect([argv.join(' '), outcome.code, outcome.stderr]).toEqual([
      argv.join(' '),
      0,
      expect.not.stringContaining('error:'),
    ]);
  }
});

test('accept decides by labelled pictures: exit 0 when the version is accepted, 1 when it is rejected or undecided', async () => {
  const cli = await cliFolder();
  const registry = await Registry.open(path.join(cli.folder, 'station'), { durability: 'none' });
  await deployBrightness(registry, '1.0.0', { below: 100 });
  await deployBrightness(registry, '1.1.0', { below: 0 });
  await registry.activate({ name: 'brightness', version: '1.0.0', productIds: ['B-1'] });
  await registry.close();
  const pictures = path.join(cli.folder, 'pictures');
  await writePictures(pictures, { OK: [200, 210], NG: [50, 60] });
  const loose = ['--rejectable', '0.9'];
  const good = await cli.run('accept', 'pictures', 'B-1', ...loose, '--report', 'report.html');
  expect(good).toMatchObject({ code: 0, stderr: '' });
  expect(good.stdout).toContain('brightness 1.0.0: accepted, after 2 of 4 pictures');
  expect(good.stdout).toContain('OK pictures  OK 2  NG 0');
  expect(await readFile(path.join(cli.folder, 'report.html'), 'utf8')).toContain('data:image/png');
  const bad = await cli.run('accept', 'pictures', 'brightness', '1.1.0', '--against', '1.0.0', ...loose);
  expect(bad).toMatchObject({ code: 1, stderr: '' });
  expect(bad.stdout).toContain('brightness 1.1.0: rejected');
  expect(bad.stdout).toContain('NG/0-50.png: expected NG, NG before, OK now');
  const few = await cli.run('accept', 'pictures', 'B-1', '--json');
  expect(few).toMatchObject({ code: 1 });
  expect(few.json()).toMatchObject({ decision: 'undecided', missing: 28, target: { wrong: 0 } });
});

test('drift is found by verify with exit 1, and named', async () => {
  const cli = await cliFolder();
  await writeFile(path.join(cli.folder, 'board.zip'), await buildPackage());
  expect(await cli.run('install', 'board.zip')).toMatchObject({ code: 0 });
  expect(await cli.run('verify')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('intact') as string,
  });
  const file = path.join(cli.folder, 'station/algorithms/deployed/sample/1.0.0/algorithm/main.py');
  await chmod(file, 0o644);
  await writeFile(file, 'changed');
  const drifted = await cli.run('verify', 'sample', '1.0.0', '--json');
  expect(drifted).toMatchObject({ code: 1 });
  expect(drifted.json()).toMatchObject([
    { intact: false, drift: [{ path: 'algorithm/main.py', kind: 'changed' }] },
  ]);
});

test('help of every command has its examples, and the README and the guide name every command', async () => {
  const cli = await cliFolder();
  const guide = await readFile(new URL('../../docs/command-line.md', import.meta.url), 'utf8');
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  for (const { name, examples } of COMMANDS) {
    const { code, stdout } = await cli.run(...name.split(' '), '--help');
    expect([name, code]).toEqual([name, 0]);
    for (const example of examples) expect(stdout).toContain(example);
    expect(readme + guide).toMatch(new RegExp(`\\b${name}\\b`));
  }
  expect(await cli.run()).toMatchObject({ code: 2, stdout: '' });
  expect((await cli.run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('completion offers commands, flags, names, versions and product ids', async () => {
  const cli = await cliStation();
  const offered = async (...words: string[]) =>
    (await cli.run('complete', ...words)).stdout.split('\n').filter((word) => word !== '');
  expect(await offered('un')).toEqual(['uninstall']);
  expect(await offered('uninstall', '--al')).toEqual(['--also-rollback-targets']);
  expect(await offered('activate', 'bo')).toEqual(['board-check']);
  expect(await offered('activate', 'board-check', '')).toEqual(['1.0.0', '1.1.0']);
  expect(await offered('activate', 'board-check', '1.0.0', 'A')).toEqual(['A01', 'A02']);
  expect(await offered('start', '--worker', 'b')).toEqual(['bundled']);
  expect(await offered('install', '')).toEqual([]);
  for (const shell of ['bash', 'zsh', 'fish']) {
    expect((await cli.run('completion', shell)).stdout).toContain('procvision-runner complete');
  }
});
