import { appendFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import { expect, onTestFinished, test } from 'vitest';
import { Registry } from '../../src/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { buildPackage } from '../../src/testing/index.js';
import { cliFolder } from '../support/cli.js';

/** A store that serves A01 by the second of two versions, and A02 by its first. */
async function station() {
  const cli = await cliFolder();
  const registry = await Registry.open(path.join(cli.folder, 'station'), { durability: 'none' });
  for (const version of ['1.0.0', '1.1.0'])
    await deployVersion(registry, { version, productIds: ['A01', 'A02'] });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01', 'A02'] });
  await registry.switch({ name: 'sample', version: '1.1.0', productIds: ['A01'] });
  await registry.close();
  return cli;
}

async function picture(...place: string[]): Promise<Buffer> {
  const png = new PNG({ width: 8, height: 8 });
  png.data = Buffer.alloc(8 * 8 * 3, 90);
  const bytes = PNG.sync.write(png, { colorType: 2, inputColorType: 2, inputHasAlpha: false });
  await mkdir(path.dirname(path.join(...place)), { recursive: true });
  await writeFile(path.join(...place), bytes);
  return bytes;
}

test('run --out never replaces a picture that it inspects, nor one verdict by another', async () => {
  const cli = await station();
  const before = await picture(cli.folder, 'a.png');
  await picture(cli.folder, 'left', '1.png');
  await picture(cli.folder, 'right', '1.png');
  expect(await cli.run('run', 'A01', 'a.png', '--out', '.')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('would replace a.png') as string,
  });
  expect((await readFile(path.join(cli.folder, 'a.png'))).equals(before)).toBe(true);
  const both = [path.join('left', '1.png'), path.join('right', '1.png')];
  expect(await cli.run('run', 'A01', ...both, '--out', 'out')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      `${both.join(' and ')} would both be written to ${path.join('out', '1.png')}`,
    ) as string,
  });
});

test('run --out shows the verdict also of a picture that it cannot write, says so, and ends with 1', async () => {
  const cli = await station();
  await picture(cli.folder, 'a.png');
  await mkdir(path.join(cli.folder, 'out', 'a.png'), { recursive: true });
  const { code, stdout, stderr } = await cli.run('run', 'A01', 'a.png', '--out', 'out');
  expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringMatching(/a\.png +OK/) as string });
  expect(stderr).toMatch(/failed: a\.png: its picture was not written to --out: .*EISDIR/);
});

test('quickstart removes no folder store that it has not made', async () => {
  const cli = await station();
  await rename(path.join(cli.folder, 'station'), path.join(cli.folder, 'store'));
  await mkdir(path.join(cli.folder, 'data', 'store'), { recursive: true });
  await writeFile(path.join(cli.folder, 'data', 'store', 'goods.csv'), 'a');
  for (const [out, left] of [
    ['.', 'registry.json'],
    ['data', 'goods.csv'],
  ] as const) {
    expect(await cli.run('quickstart', '--out', out)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('was not made by quickstart') as string,
    });
    expect(await readdir(path.join(cli.folder, out, 'store'))).toContain(left);
  }
});

test.each([
  [['list', '--jsn'], 'invalid_params'],
  [['run', 'A03', 'a.png'], 'not_found'],
  [['outbox', 'status', '--url', 'http://127.0.0.1:9'], 'unreachable'],
])('with --json the failure of %j has the code %s', async (argv, code) => {
  const cli = await station();
  expect((await cli.run(...argv, '--json')).json()).toMatchObject({ error: { code } });
});

test('a file that is no token is not to be overwritten by the remedy', async () => {
  const cli = await station();
  await writeFile(path.join(cli.folder, 'keys.json'), '{}');
  const { code, stderr } = await cli.run('serve', '--port', '0', '--token-file', 'keys.json');
  expect([code, stderr]).toEqual([2, expect.stringMatching(/keys\.json holds no token.*> station\.token/)]);
});

test('serve with a fleet that is not described is refused before it listens', async () => {
  const cli = await station();
  const { code, stdout } = await cli.run('serve', '--port', '0', '--fleet', 'nothere.json');
  expect([code, stdout]).toEqual([3, '']);
});

test('a guide for a product id or a step that is a slip of the hand is kept, and said to be so', async () => {
  const cli = await station();
  await picture(cli.folder, 'a.png');
  const { code, stderr } = await cli.run('guide', 'A0l', 'a.png');
  expect([code, stderr]).toEqual([0, expect.stringContaining('A0l is not active')]);
  expect(stderr).toContain('Did you mean A01?');
});

test('an install of two packages of which the second fails says that the first stays', async () => {
  const cli = await cliFolder();
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': 'raise RuntimeError("broken")' };
  const broken = await buildPackage({ name: 'second', generation: 'execute-only', files });
  await writeFile(path.join(cli.folder, 'a.zip'), await buildPackage({ name: 'first' }));
  await writeFile(path.join(cli.folder, 'b.zip'), broken);
  const { code, stderr } = await cli.run('install', 'a.zip', 'b.zip');
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /warning: first 1\.0\.0 was deployed before the failure, and stays\nerror: .*broken/,
  );
  expect((await cli.run('list', '--json')).json()).toMatchObject([{ name: 'first' }]);
});

test('a guide for a step that the version does not have is kept, and said to be so', async () => {
  const cli = await cliFolder();
  await picture(cli.folder, 'a.png');
  await writeFile(path.join(cli.folder, 'a.zip'), await buildPackage());
  expect((await cli.run('install', 'a.zip', '--activate')).code).toBe(0);
  const { code, stderr } = await cli.run('guide', 'A01', 'a.png', '--step', '9');
  expect([code, stderr]).toEqual([0, expect.stringContaining('sample 1.0.0 has no step 9: its steps are 1')]);
});

test('a word that an option has taken is named: install --activate x.zip', async () => {
  const cli = await station();
  expect(await cli.run('install', '--activate', 'x.zip')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      '--activate has taken x.zip as its value. Write --activate last',
    ) as string,
  });
});

test('a rollback of several product ids that fails at one says which are back already', async () => {
  const cli = await station();
  const { code, stderr } = await cli.run('rollback', 'A01', 'A02');
  expect(code).toBe(3);
  expect(stderr).toMatch(/warning: sample 1\.0\.0 serves A01.*before the failure\nerror: not_found: /);
});

test.each([
  [['params', 'constructor', '{}'], 'Product id constructor is not active'],
  [['rollback', 'toString'], 'Product id toString is not active'],
  [['run', 'valueOf', 'a.png'], 'valueOf is neither an active product id nor a deployed package'],
  [['accept', '.', 'constructor'], 'Product id constructor is not active'],
])('%j, a name that every object has, is not found', async (argv, message) => {
  const cli = await station();
  await picture(cli.folder, 'a.png');
  expect(await cli.run(...argv)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(message) as string,
  });
});

test('logs --follow shows each line once, also when a log is rotated under it', async () => {
  const cli = await station();
  const folder = path.join(cli.folder, 'station', 'logs', 'workers', 'sample', '1.0.0');
  await mkdir(folder, { recursive: true });
  const log = path.join(folder, '0.jsonl');
  const write = (message: string) =>
    appendFile(log, `${JSON.stringify({ time: new Date().toISOString(), level: 'info', message })}\n`);
  await write('first');
  const controller = new AbortController();
  let shown = '';
  const ended = cli.runWith(
    { interrupted: controller.signal, onOutput: (text) => (shown += text) },
    ...['logs', 'sample', '1.0.0', '--follow'],
  );
  onTestFinished(async () => {
    controller.abort();
    await ended;
  });
  await expect.poll(() => shown, { timeout: 10_000 }).toContain('first');
  await write('second');
  await rename(log, path.join(folder, '0.1.jsonl'));
  await write('third');
  await expect.poll(() => shown, { timeout: 10_000 }).toContain('third');
  await write('fourth');
  await expect.poll(() => shown, { timeout: 10_000 }).toContain('fourth');
  expect(shown.match(/first|second|third|fourth/g)).toEqual(['first', 'second', 'third', 'fourth']);
});
