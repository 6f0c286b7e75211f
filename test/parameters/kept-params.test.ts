import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPackage } from '../../src/testing/index.js';
import { sampleAlgorithm } from '../../src/testing/sample-algorithm.js';
import { temporaryRunner } from '../support/open-runner.js';

const image = { data: new Uint8Array(8 * 6 * 3), width: 8, height: 6 };
const GAIN = { key: 'gain', type: 'float', min: 0, max: 2, default: 1 };
const LIMIT = { key: 'limit', type: 'int', max: 100 };
const REGION = { key: 'region', type: 'rect' };

/** A package whose algorithm answers with the parameters that it was given. */
function echoing(version: string, params: object[], more: Parameters<typeof buildPackage>[0] = {}) {
  const source = sampleAlgorithm({ generation: 'phased', name: 'sample', version, productIds: ['A', 'B'] })
    .replace('"params": []', `"params": ${JSON.stringify(params).replaceAll('true', 'True')}`)
    .replace('"session": session.id, "context"', '"given": user_params, "context"');
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': source, ...more.files };
  return buildPackage({ version, productIds: ['A', 'B'], ...more, files });
}

async function station(worker: 'sdk' | 'bundled' = 'sdk') {
  const opened = await temporaryRunner({ supervisor: { worker } });
  const { supervisor } = opened.runner;
  const given = async (productId: string, userParams?: Record<string, unknown>) => {
    const { data } = await supervisor.execute({ productId, stepIndex: 1, image, userParams });
    return (data.debug as { given: unknown }).given;
  };
  return { ...opened, given };
}

describe('a step has the parameters', () => {
  const steps = [{ index: 1, name: 'look', params: [GAIN] }];
  test.each([
    ['that get_info() lists, whatever the manifest says', [LIMIT], [LIMIT], {}],
    [
      'of the manifest where get_info() has an empty list, as the scaffold of the SDK',
      [],
      [GAIN],
      { gain: 1 },
    ],
  ])('%s', async (_, listed, params, filled) => {
    const { runner, given } = await station();
    const source = await echoing('1.0.0', listed, { manifest: { steps } });
    await runner.ensureInstalled(source, { activate: ['A'] });
    const schema = await runner.registry.parameters('sample', '1.0.0');
    expect(schema.steps).toEqual([{ index: 1, name: 'look', params }]);
    expect(await given('A')).toEqual(filled);
  });

  test('of the manifest where get_info() has something else than a list', async () => {
    const { runner } = await station();
    const algorithm = sampleAlgorithm({
      generation: 'phased',
      name: 'sample',
      version: '1.0.0',
      productIds: ['A'],
    });
    const main = algorithm.replace('"params": []', '"params": None');
    const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': main };
    const source = await buildPackage({ version: '1.0.0', productIds: ['A'], files, manifest: { steps } });
    await runner.ensureInstalled(source);
    expect((await runner.registry.parameters('sample', '1.0.0')).steps).toMatchObject([{ params: [GAIN] }]);
  });
});

describe('parameters of a product id', () => {
  test('are those of the schema that get_info() declares: filled in, checked, kept, moved and rolled back with the version', async () => {
    const { runner, given } = await station();
    const { registry, supervisor } = runner;
    await runner.ensureInstalled(await echoing('1.0.0', [GAIN, LIMIT, REGION]), { activate: ['A', 'B'] });
    expect(await registry.parameters('sample', '1.0.0')).toEqual({
      ...{ name: 'sample', version: '1.0.0' },
      steps: [{ index: 1, name: 'look', params: [GAIN, LIMIT, REGION] }],
    });
    expect(await given('A')).toEqual({ gain: 1 });
    await registry.setParams({ productId: 'A', params: { gain: 2, limit: 7 }, operator: 'Ana' });
    expect(await given('A', { limit: 8 })).toEqual({ gain: 2, limit: 8 });
    expect(await given('B')).toEqual({ gain: 1 });
    expect(await registry.params('A')).toEqual({ gain: 2, limit: 7 });
    await expect(given('A', { limit: 101 })).rejects.toMatchObject({
      ...{ code: 'invalid_params', errorCode: '1006', details: { path: 'userParams.limit' } },
    });
    await expect(given('A', { region: { x: 0, y: 0, width: 9, height: 1 } })).rejects.toMatchObject({
      ...{ code: 'invalid_params', errorCode: '1007' },
    });

    await runner.ensureInstalled(await echoing('2.0.0', [GAIN, { ...LIMIT, max: 5 }]));
    const to2 = { name: 'sample', version: '2.0.0', productIds: ['A', 'B'] };
    const refused = {
      code: 'invalid_params',
      message:
        /kept for A do not go with it to sample 2\.0\.0, and nothing was changed.*params\.limit must be at most 5, not 7/,
      details: { productIds: ['A'], path: 'params.limit' },
    };
    await expect(supervisor.switch({ ...to2, dryRun: true })).rejects.toMatchObject(refused);
    await expect(supervisor.switch(to2)).rejects.toMatchObject(refused);
    await expect(registry.switch(to2)).rejects.toMatchObject(refused);
    expect((await registry.resolve('B')).version).toBe('1.0.0');
    await supervisor.switch({ ...to2, params: { limit: 5 } });
    expect(await given('A')).toEqual({ gain: 1, limit: 5 });
    expect(await given('B')).toEqual({ gain: 1, limit: 5 });
    await supervisor.rollback({ productId: 'A' });
    expect(await registry.params('A')).toEqual({ gain: 2, limit: 7 });
    expect(await given('A')).toEqual({ gain: 2, limit: 7 });
    await supervisor.rollback({ productId: 'B', to: { name: 'sample', version: '1.0.0' } });
    expect(await registry.params('B')).toEqual({});

    const audit = await readFile(path.join(registry.layout.logs, 'package_activate.log'), 'utf8');
    expect(audit).toMatch(/"operation":"set params".*"operator":"Ana","params":\{"gain":2,"limit":7\}/);
  });

  test('that its version does not take, or whose id is not active, are refused and nothing is kept', async () => {
    const { runner } = await station();
    const { registry } = runner;
    await runner.ensureInstalled(await echoing('1.0.0', [GAIN]), { activate: ['A'] });
    const events: unknown[] = [];
    registry.on('paramsSet', (event) => events.push(event));
    await expect(registry.setParams({ productId: 'A', params: { gian: 1 } })).rejects.toMatchObject({
      message: /params\.gian is no parameter\. /,
    });
    await expect(registry.setParams({ productId: 'A', params: { gain: '1' } })).rejects.toMatchObject({
      details: { issues: [{ path: 'params.gain' }] },
    });
    for (const params of [[], 'gain=1', null, 1, undefined]) {
      await expect(registry.setParams({ productId: 'A', params } as never)).rejects.toMatchObject({
        ...{ code: 'invalid_params', details: { path: 'params' } },
      });
    }
    await expect(registry.setParams({ productId: 'B', params: {} })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(registry.parameters('sample', '9')).rejects.toMatchObject({ code: 'not_found' });
    expect(await registry.params('A')).toEqual({});
    expect(events).toEqual([]);
    await registry.setParams({ productId: 'A', params: { gain: 0.5 } });
    await registry.setParams({ productId: 'A', params: {} });
    expect(await registry.active()).not.toHaveProperty('A.params');
    expect(events).toHaveLength(2);
  });

  test('are handed over as they come by the policy pass', async () => {
    const { runner, given } = await station('bundled');
    await runner.ensureInstalled(await echoing('1.0.0', [GAIN]), { activate: ['A'] });
    await runner.supervisor.configure('sample', '1.0.0', { parameters: 'pass' });
    expect(await given('A', { gain: 'loud', other: 1 })).toEqual({ gain: 'loud', other: 1 });
  });
});

describe('assets of a package', () => {
  const manifest = {
    required_assets: { A: { config: 'assets/a.json', template: './assets\\t.bin' } },
    default_config: { config: 'assets/default.json' },
  };
  const assets = {
    'assets/a.json': '{"gain":0.25}',
    'assets/t.bin': 'T'.repeat(100),
    'assets/default.json': '{"gain":0.75,"limit":3,"elsewhere":true}',
  };

  test('are hashed at install, and default_config is beneath what the host hands over, for ids without their own', async () => {
    const { runner, given } = await station();
    const zip = await echoing('1.0.0', [GAIN, LIMIT], { manifest, files: assets });
    const entry = await runner.ensureInstalled(zip, { activate: ['A', 'B'] });
    expect(entry.assets).toEqual([
      { path: 'assets/a.json', size_bytes: 13, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      { path: 'assets/t.bin', size_bytes: 100, sha256: expect.any(String) as string },
      expect.objectContaining({ path: 'assets/default.json' }),
    ]);
    expect(await given('A')).toEqual({ gain: 1 });
    expect(await given('B', { limit: 4 })).toEqual({ gain: 0.75, limit: 4 });
  });

  test.each<[what: string, change: (file: string) => Promise<void>, fault: RegExp]>([
    [
      'shorter',
      (file) => writeFile(file, 'T'),
      /assets\/t\.bin, which its manifest says it needs, has 1 bytes instead of 100/,
    ],
    ['changed', (file) => writeFile(file, 'U'.repeat(100)), /assets\/t\.bin, .* is not as it was installed/],
  ])('that are %s on disk keep a version from starting, by name', async (_, change, fault) => {
    const { runner, given } = await station();
    await runner.ensureInstalled(await echoing('1.0.0', [], { manifest, files: assets }), {
      activate: ['A'],
    });
    const file = path.join(runner.registry.layout.deployed('sample', '1.0.0'), 'assets', 't.bin');
    await chmod(file, 0o600);
    await change(file);
    await expect(given('A')).rejects.toMatchObject({
      code: 'start_failed',
      errorCode: '1003',
      message: fault,
    });
  });

  test.each<[path: unknown, fault: RegExp]>([
    ['assets/none.bin', /required_assets\.A\.model names assets\/none\.bin, which is not in the package/],
    ['assets/T.bin', /names assets\/T\.bin, which the package has as .*assets\/t\.bin/],
    ['assets', /names assets, which is a folder/],
    ['/etc/hostname', /names "\/etc\/hostname", which is not a path inside of the package/],
    ['../../x', /names "\.\.\/\.\.\/x", which is not a path inside of the package/],
    ['C:\\model.bin', /not a path inside of the package/],
    [7, /required_assets\.A\.model must be the path of a file in the package/],
  ])('that are named as %j are a fault of the package', async (asset, fault) => {
    const { runner, folder } = await station();
    const zip = path.join(folder, 'package.zip');
    const named = { required_assets: { A: { model: asset } } };
    await writeFile(zip, await echoing('1.0.0', [], { manifest: named, files: assets }));
    await expect(runner.deployer.install(zip)).rejects.toMatchObject({
      code: 'manifest_invalid',
      message: fault,
    });
  });

  test('of product ids that are not supported, and odd parameters, are warnings', async () => {
    const { runner, folder } = await station();
    const zip = path.join(folder, 'package.zip');
    const odd = {
      required_assets: { Z: { model: 'assets/t.bin' } },
      steps: [{ index: 1, name: 'look', params: [{ key: 'a', type: 'int', min: 2, max: 1 }] }],
      supported_pids: Array.from({ length: 60 }, (_, index) => `P${index}`),
    };
    await writeFile(zip, await echoing('1.0.0', [], { manifest: odd, files: assets }));
    const { warnings } = await runner.validator.inspect(zip);
    expect(warnings).toEqual(
      expect.arrayContaining([
        'required_assets names the product id Z, which supported_pids does not have',
        expect.stringMatching(/^The manifest supports 60 product ids: the specification allows 50/),
        'The parameter of step 1, a has min and max that no value meets: 2 is above 1',
      ]),
    );
  });
});
