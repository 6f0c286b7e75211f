import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { openRunner, Runner } from '../../src/index.js';
import { buildPackage } from '../../src/testing/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { temporaryRunner } from '../support/open-runner.js';
import { IS_WINDOWS } from '../support/platform.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const WIDTH = 8;
const HEIGHT = 6;
const pixels = (value: number) => ({
  data: new Uint8Array(WIDTH * HEIGHT * 3).fill(value),
  width: WIDTH,
  height: HEIGHT,
});

/** An RGB picture of one colour as a PNG file. */
async function pictureFile(folder: string, value: number): Promise<string> {
  const png = new PNG({ width: WIDTH, height: HEIGHT, colorType: 2, inputHasAlpha: false });
  png.data = Buffer.alloc(WIDTH * HEIGHT * 3, value);
  const file = path.join(folder, `picture ${value}.png`);
  await writeFile(file, PNG.sync.write(png, { colorType: 2, inputHasAlpha: false }));
  return file;
}

test('an option that is undefined is one that was left out: environments are linked', async () => {
  const root = path.join(await temporaryFolder(), 'store');
  const runner = await openRunner(root, { venvs: { installer: undefined }, frames: { gid: undefined } });
  expect(runner.venvs.installer).toBe('link');
  await runner.close();
});

describe('with a phased package and its real worker', () => {
  test('from the bytes of a package to the verdict on the picture of a file, in one session of pre and execute', async () => {
    const { runner, folder } = await temporaryRunner();
    const calls: { phase: string; session: unknown }[] = [];
    runner.supervisor.on('result', ({ phase, result }) => {
      calls.push({ phase, session: (result.data.debug as { session?: unknown }).session });
    });
    await runner.ensureInstalled(await buildPackage({ productIds: ['P7'] }), { activate: true });
    const result = await runner.inspect('P7', await pictureFile(folder, 90));
    expect(result).toMatchObject({
      ...{ status: 'OK', name: 'sample', version: '1.0.0' },
      data: { result_status: 'OK', debug: { first: [90, 90, 90], size: WIDTH * HEIGHT * 3, pid: 'P7' } },
    });
    expect(calls.map(({ phase }) => phase)).toEqual(['pre', 'execute']);
    expect(calls[0]?.session).toBe(calls[1]?.session);
    const bad = await runner.inspect('P7', pixels(0), { userParams: { ng: true }, timeoutMs: 30_000 });
    expect(bad.data).toMatchObject({ result_status: 'NG', ng_reason: 'asked for it' });
  });
});

test('a product id that is moved during pre_execute is prepared again by the version that executes', async () => {
  const { runner, folder } = await temporaryRunner();
  const { registry, supervisor } = runner;
  const versions = ['1.0.0', '2.0.0'].map((version) => ({ name: 'sample', version }));
  for (const version of versions) await deployVersion(registry, { ...version, source: steeredAlgorithm() });
  const [first = { name: '', version: '' }, second = first] = versions;
  await registry.activate({ ...first, productIds: ['A01'] });
  const calls: string[] = [];
  supervisor.on('result', ({ phase, result }) => void calls.push(`${phase} ${result.version}`));
  const begun = new Promise((resolve) => {
    supervisor.on('state', ({ state }) => state === 'executing' && resolve(state));
  });
  const go = path.join(folder, 'go');
  const inspected = runner.inspect('A01', pixels(7), { userParams: { wait_for: go } });
  await begun;
  await registry.activate({ ...second, productIds: ['A01'] });
  await writeFile(go, '');
  expect(await inspected).toMatchObject({ status: 'OK', version: '2.0.0' });
  expect(calls).toEqual(['pre 1.0.0', 'pre 2.0.0', 'execute 2.0.0']);
});

test('a step of its own is called where the version declares others than 1', async () => {
  const { runner } = await temporaryRunner();
  const entry = await deployVersion(runner.registry);
  await runner.registry.register({ ...entry, step_indexes: [4, 2] });
  await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const { data } = await runner.inspect('A01', pixels(1));
  expect(data).toMatchObject({ step_index: 4 });
});

test('an execute-only version is given the guide of a file, or the picture itself', async () => {
  const { runner, folder } = await temporaryRunner();
  await deployVersion(runner.registry, { generation: 'execute-only' });
  await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const guided = await runner.inspect('A01', pixels(1), { guideImage: await pictureFile(folder, 7) });
  expect(guided.data.debug).toMatchObject({ first: [1, 1, 1], guide: [7, 7, 7] });
  const same = await runner.inspect('A01', pixels(1), { guideImage: 'same' });
  expect(same.warnings.join()).toContain('compared with itself');
  await expect(runner.inspect('A01', pixels(1))).rejects.toMatchObject({ code: 'invalid_params' });
});

describe('a picture that cannot be inspected is refused by its name', () => {
  test.each([
    ['a file that is not there', 'none.png', 'cannot be read: ENOENT'],
    ['a file that is no picture', 'text.png', 'is neither a JPEG, a PNG, a BMP'],
  ])('%s', async (_title, name, message) => {
    const { runner, folder } = await temporaryRunner();
    await deployVersion(runner.registry);
    await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    await writeFile(path.join(folder, 'text.png'), 'no picture');
    const file = path.join(folder, name);
    await expect(runner.inspect('A01', file)).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringContaining(`${file} ${message}`) as string,
      details: { path: file },
    });
  });

  test.each([[undefined], [''], [7], [null]])('%s', async (picture) => {
    const { runner } = await temporaryRunner();
    await expect(runner.inspect('A01', picture as unknown as string)).rejects.toMatchObject({
      code: 'invalid_params',
      details: { path: 'image' },
    });
  });
});

test('what is active is started side by side; one that cannot start is named and keeps no other from it', async () => {
  const { runner } = await temporaryRunner();
  const { registry } = runner;
  await deployVersion(registry, { productIds: ['A01', 'A02'] });
  await deployVersion(registry, { version: '2.0.0', productIds: ['B'] });
  await deployVersion(registry, {
    name: 'broken',
    productIds: ['C'],
    source: 'raise RuntimeError("no licence")',
  });
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01', 'A02'] });
  await registry.activate({ name: 'sample', version: '2.0.0', productIds: ['B'] });
  expect((await runner.health()).ready).toBe(false);
  await registry.activate({ name: 'broken', version: '1.0.0', productIds: ['C'] });

  const report = await runner.startActive({ atOnce: 2 });
  expect(report.started.map(({ version }) => version).sort()).toEqual(['1.0.0', '2.0.0']);
  expect(report.started.find(({ version }) => version === '1.0.0')?.productIds).toEqual(['A01', 'A02']);
  expect(report.failed).toMatchObject([
    { name: 'broken', productIds: ['C'], error: { code: 'start_failed' } },
  ]);

  const health = await runner.health();
  expect(health).toMatchObject({ live: true, ready: false });
  expect(health.checks.map(({ name, ok }) => [name, ok])).toEqual([
    ['store', true],
    ['sample 1.0.0', true],
    ['sample 2.0.0', true],
    ['broken 1.0.0', false],
  ]);
  expect(health.checks[1]?.message).toBe('serves A01, A02: running, 1 of 1 workers ready');
  await registry.deactivate({ productIds: ['C'] });
  expect((await runner.health()).ready).toBe(true);
  expect(await runner.startActive()).toMatchObject({ started: [{}, {}], failed: [] }); // again: they are ready
});

test('an aborted start of everything rejects, and starts no more of it', async () => {
  const { runner } = await temporaryRunner();
  for (const version of ['1.0.0', '2.0.0'])
    await deployVersion(runner.registry, { version, productIds: [version] });
  for (const version of ['1.0.0', '2.0.0']) {
    await runner.registry.activate({ name: 'sample', version, productIds: [version] });
  }
  const aborting = new AbortController();
  runner.supervisor.once('state', () => {
    aborting.abort();
  });
  await expect(runner.startActive({ atOnce: 1, signal: aborting.signal })).rejects.toMatchObject({
    name: 'AbortError',
  });
  expect(runner.supervisor.status().filter(({ state }) => state === 'running')).toEqual([]);
});

describe('its end', () => {
  test('closes every part, once; calls after it are closed', async () => {
    const { runner } = await temporaryRunner();
    await deployVersion(runner.registry);
    await runner.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    await runner.startActive();
    const folder = await runner.frames.open();
    await Promise.all([runner.close(), runner.close(), runner[Symbol.asyncDispose]()]);
    expect(await runner.health()).toMatchObject({ live: false, ready: false });
    for (const call of [
      () => runner.inspect('A01', pixels(1)),
      () => runner.ensureInstalled('x.zip'),
      () => runner.startActive(),
      () => runner.deployer.scan(),
      () => runner.frames.lease({ width: 1, height: 1 }),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'closed' });
    }
    expect(folder).not.toBe('');
  });

  test('is reached by every part also when one fails to close', async () => {
    const closed: string[] = [];
    const part = (name: string, fails = false) => ({
      close: () => {
        closed.push(name);
        return fails ? Promise.reject(new Error(`${name} failed`)) : Promise.resolve();
      },
    });
    const parts = {
      ...{
        registry: part('registry'),
        deployer: part('deployer', true),
        supervisor: part('supervisor', true),
      },
      ...{ frames: part('frames'), validator: {}, venvs: {} },
    };
    await expect(new Runner(parts as never).close()).rejects.toThrow('supervisor failed');
    expect(closed).toEqual(['supervisor', 'frames', 'deployer', 'registry']);
  });
});

describe('an option that cannot be', () => {
  test.each([
    [{ supervizor: {} }, 'Did you mean supervisor?'],
    [{ validator: { smok: true } }, 'no option validator.smok. Did you mean smoke?'],
    [{ supervisor: { registry: {} } }, 'there is no option supervisor.registry'],
    [{ registry: { durability: 'ful' } }, 'registry.durability must be'],
  ])('%j is refused before the store is made', async (options, message) => {
    const root = path.join(await temporaryFolder(), 'station');
    const failure = (await openRunner(root, options as never).catch((error: unknown) => error)) as Error;
    expect(failure).toMatchObject({ code: 'invalid_params' });
    expect(failure.message).toContain(message);
    await expect(import('node:fs/promises').then(({ stat }) => stat(root))).rejects.toThrow('ENOENT');
  });

  test('that two parts disagree about closes what was opened: the store can be removed and opened again', async () => {
    const root = path.join(await temporaryFolder(), 'station');
    const options = { frames: { gid: 1 }, supervisor: { policy: { gid: 2 } } };
    const code = IS_WINDOWS ? 'unsupported_platform' : 'invalid_params'; // where no worker has a group
    await expect(openRunner(root, options)).rejects.toMatchObject({ code });
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const runner = await openRunner(root);
    await runner.close();
    // One of before may have ended meanwhile.
    expect(timers()).toBeLessThanOrEqual(before);
  });
});
