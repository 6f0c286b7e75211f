import { createReadStream } from 'node:fs';
import { chmod, cp, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import { Registry } from '../../src/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { buildPackage } from '../../src/testing/index.js';
import { temporaryFolder } from '../../src/testing/temporary-folder.js';
import { deployBrightness, writePictures } from '../support/brightness.js';
import { cliFolder } from '../support/cli.js';
import { atEndOfFile } from '../support/end-of-file.js';

async function pictureFile(folder: string, name: string, value: number): Promise<void> {
  const png = new PNG({ width: 40, height: 30 });
  png.data = Buffer.alloc(40 * 30 * 3, value);
  await writeFile(
    path.join(folder, name),
    PNG.sync.write(png, { colorType: 2, inputColorType: 2, inputHasAlpha: false }),
  );
}

/** A store of two versions that run without an environment, the older of them active for A01; gone when the file is over. */
async function makeStore(): Promise<string> {
  const folder = await temporaryFolder();
  atEndOfFile.push(() => folder[Symbol.asyncDispose]());
  const registry = await Registry.open(path.join(folder.path, 'station'), { durability: 'none' });
  for (const version of ['1.0.0', '1.1.0']) {
    await deployVersion(registry, { name: 'board-check', version, pids: ['A01', 'A02'] });
  }
  await registry.activate({ name: 'board-check', version: '1.0.0', productIds: ['A01'] });
  await registry.close();
  return registry.layout.root;
}

let made: Promise<string> | undefined;

/** A folder with that store: a copy, for its Pythons are slow to ask. */
async function station() {
  const cli = await cliFolder();
  const copy = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true };
  await cp(await (made ??= makeStore()), path.join(cli.folder, 'station'), copy);
  return cli;
}

test('a package is installed from a file, from stdin and again, activated, inspected with, and removed', async () => {
  const cli = await cliFolder();
  const zip = path.join(cli.folder, 'board.zip');
  await writeFile(zip, await buildPackage({ name: 'board-check', pids: ['BOARD-7'] }));
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
  await writeFile(path.join(cli.folder, 'p.zip'), await buildPackage({ name: 'board-check', pids: ['A01'] }));
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
  const cli = await station();
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
  const cli = await station();
  const started = await cli.run('start', '--once', '--json');
  expect(started).toMatchObject({ code: 0 });
  expect(started.json()).toMatchObject({ started: [{ name: 'board-check', version: '1.0.0' }], failed: [] });
  const registry = await Registry.open(path.join(cli.folder, 'station'));
  await deployVersion(registry, { name: 'broken', pids: ['B'], source: 'raise RuntimeError("no licence")' });
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

describe('whatever is wrong with a command line is said in one line, with the nearest right thing, and changes nothing', () => {
  test.each<[line: string, code: number, message: string]>([
    ['instal x.zip', 2, "unknown command 'instal'. Did you mean install?"],
    ['list --jsn', 2, "unknown option '--jsn'. Did you mean --json?"],
    ['activate board-check', 2, "missing required argument 'version'"],
    ['serve --port 80a', 2, '--port takes a whole number from 0 to 65535, not 80a'],
    ['serve --host 0.0.0.0', 2, 'give --token-file FILE'],
    ['start board-check 1.0.0 --worker sdq', 2, '--worker takes sdk or bundled, not sdq'],
    ['run A01 x.png --params [1]', 2, '--params takes a JSON object'],
    ['help isntall', 2, "there is no help for 'isntall'. Did you mean install?"],
    ['list board-check 1.0.0', 2, 'Expected 1 argument but got 2. See procvision-runner list --help'],
    [
      'activate board-check 1.0.0 --root',
      2,
      "'--root <folder>' argument missing. See procvision-runner activate",
    ],
    ['install packet.zip --root new', 1, 'invalid_zip'],
    ['prune --keep -1', 2, '--keep takes a whole number from 0, not -1'],
    ['init station', 2, 'station is not empty'],
    ['completion bsh', 2, 'Did you mean bash?'],
    ['start board-check', 2, 'start takes a name and a version'],
    ['install none.zip', 3, 'There is no package none.zip'],
    ['install paket.zip', 3, 'There is no package paket.zip. Did you mean packet.zip?'],
    ['check /no/such/folder/x.zip', 3, 'its folder is not there'],
    ['list --root statoin', 3, 'There is no store at'],
    ['list board-chek', 3, 'board-chek is not deployed. Did you mean board-check?'],
    ['activate board-check 1.0.1', 3, 'board-check 1.0.1 is not deployed. Did you mean 1.0.0?'],
    ['activate board-check 1.0.0 A03', 3, 'does not support A03. Did you mean A01?'],
    ['deactivate A10', 3, 'Product id A10 is not active. Did you mean A01?'],
    ['rollback Z', 3, 'Product id Z is not active. Active product ids: A01'],
    ['run A0 x.png', 3, 'A0 is neither an active product id nor a deployed package. Did you mean A01?'],
    ['run A01 pictur.png', 3, 'There is no picture pictur.png. Did you mean picture.png?'],
    ['accept no-pictures A01', 3, 'There is no folder of pictures no-pictures'],
    ['accept station board-check', 2, 'accept takes a name and a version: accept FOLDER board-check VERSION'],
    ['accept station A0', 3, 'Product id A0 is not active. Did you mean A01?'],
    ['accept station A01 --against 1.2.0', 3, 'board-check 1.2.0 is not deployed'],
    ['accept station A01 --alpha 5', 2, '--alpha takes a number between 0 and 1, not 5'],
    ['accept station A01 --to-eight-bits 12', 2, '--to-eight-bits takes shift, or two values such as 0,4095'],
    ['accept station A01', 2, 'has neither a folder OK nor a folder NG'],
    ['uninstall board-check 9', 3, 'board-check 9 is not deployed. Deployed versions: 1.0.0, 1.1.0'],
    ['verify bord-check', 3, 'Did you mean board-check?'],
    ['logs board-check 1.2.0', 3, 'Did you mean 1.'],
    ['rollback A01', 3, 'not_found'],
    ['list --root=', 2, "--root takes a folder, not ''"],
    ['install http://example.org/x.zip', 3, 'it is an address. Name a file by its path, downloaded before'],
    ['types board-check 1.0.0 --out none/x.ts', 3, 'none/x.ts cannot be written: its folder is not there'],
    ['types board-check 1.0.0 --out station', 2, 'station is a folder: name a file'],
    ['accept station A01 --report none/x.html', 3, 'none/x.html cannot be written: its folder is not there'],
    ['accept picture.png A01', 2, 'is neither a folder nor a CSV file'],
    ['run A01 picture.png --out packet.zip', 2, 'packet.zip is a file: name a folder'],
    ['init picture.png', 2, 'picture.png cannot be a folder for a package: it is a file'],
    ['uninstall board-check 1.0.0', 1, 'unsafe_uninstall'],
    ['install packet.zip', 1, 'invalid_zip'],
    ['install packet.zip --activate ,', 2, "--activate takes product ids such as A,B, not ','"],
  ])('%s', async (line, code, message) => {
    const cli = await station();
    for (const name of ['packet.zip', 'picture.png']) await writeFile(path.join(cli.folder, name), 'nothing');
    const before = await readFile(path.join(cli.folder, 'station/registry.json'), 'utf8');
    const outcome = await cli.run(...line.split(' '));
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) as string });
    const said = outcome.stderr.split('\n').filter((text) => text.startsWith('error:'));
    expect(said).toHaveLength(1);
    expect(outcome.stderr).not.toMatch(/^ {4}at /m);
    expect(await readFile(path.join(cli.folder, 'station/registry.json'), 'utf8')).toBe(before);
    expect((await readdir(cli.folder)).sort()).toEqual(['packet.zip', 'picture.png', 'station']);
  });
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
  const cli = await station();
  const interrupt = new AbortController();
  interrupt.abort();
  expect(await cli.runWith({ interrupted: interrupt.signal }, 'start', '--once')).toMatchObject({
    code: 130,
  });
});

test('a word without letters is shown between quotes', async () => {
  const cli = await station();
  expect((await cli.run('deactivate', '')).stderr).toContain("Product id '' is not active");
  expect((await cli.run('info', ' ', '1')).stderr).toContain("' ' is not deployed");
  expect(await cli.run('install', '')).toMatchObject({
    ...{ code: 3, stderr: expect.stringContaining("There is no package ''") as string },
  });
});

test('commands that only an interrupt ends exit with 0 by it', async () => {
  const cli = await station();
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
  const cli = await station();
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
