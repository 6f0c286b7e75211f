import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { FramePool, type InspectionRequest } from '../../src/index.js';
import { buildWheel, wheelFileName } from '../../src/testing/index.js';
import { sharedNumpyWheel } from '../support/shared-material.js';
import { filesBelow, openStation } from '../support/station.js';

const RED_2_BY_2 = new Uint8Array(12).map((_, index) => (index % 3 === 0 ? 200 : 7));
const image = { data: RED_2_BY_2, width: 2, height: 2 };
const request: InspectionRequest = { productId: 'A01', stepIndex: 1, image };

describe('a package of the phased generation', () => {
  test.each(['beside', 'flat', 'inside'] as const)(
    'laid out %s gives a verdict on the pixels that were handed over',
    async (layout) => {
      const { registry, deployer, supervisor, deliver } = await openStation();
      const entry = await deployer.install(await deliver({ layout }));
      expect(entry).toMatchObject({
        name: 'sample',
        version: '1.0.0',
        state: 'deployed',
        generation: 'phased',
      });
      await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
      await supervisor.start('sample', '1.0.0');
      const pre = await supervisor.preExecute({ ...request, session: { id: 's1' } });
      expect(pre).toMatchObject({
        status: 'OK',
        message: 'ready',
        data: { debug: { size: 12, session: 's1' } },
      });
      const result = await supervisor.execute({ ...request, session: { id: 's1', context: { lot: 7 } } });
      expect(result.data).toMatchObject({
        result_status: 'OK',
        debug: { first: [200, 7, 7], size: 12, pid: 'A01', session: 's1', context: { lot: 7 } },
      });
      expect(result).toMatchObject({ worker: 0, attempts: 1 });
      expect(result.timing.totalMs).toBeGreaterThanOrEqual(result.timing.callMs);
    },
  );

  test('answers what its get_info() says, and NG with reason and box when it finds something', async () => {
    const { deployer, supervisor, deliver } = await openStation();
    await deployer.install(await deliver());
    const target = { name: 'sample', version: '1.0.0' };
    expect(await supervisor.info('sample', '1.0.0')).toMatchObject({
      name: 'sample',
      supported_pids: ['A01'],
    });
    const result = await supervisor.execute({
      target,
      productId: 'A01',
      stepIndex: 1,
      image,
      userParams: { ng: true },
    });
    expect(result.data).toMatchObject({
      result_status: 'NG',
      ng_reason: 'asked for it',
      defect_rects: [{ x: 0, y: 0, width: 1, height: 1 }],
    });
  });

  test('a frame filled in place reaches the algorithm as it was filled', async () => {
    const { deployer, supervisor, registry, deliver } = await openStation();
    await using frames = new FramePool();
    const { AlgorithmSupervisor } = await import('../../src/index.js');
    await using own = new AlgorithmSupervisor({ registry, frames });
    await deployer.install(await deliver());
    const frame = await frames.lease({ width: 2, height: 2 });
    frame.pixels.set(RED_2_BY_2);
    const target = { name: 'sample', version: '1.0.0' };
    const result = await own.execute({ target, stepIndex: 1, image: frame });
    expect(result.data.debug).toMatchObject({ first: [200, 7, 7], size: 12 });
    expect(supervisor.status()).toEqual([]);
  });

  test('an algorithm that answers ERROR, or raises, is a result and not an exception', async () => {
    const { deployer, supervisor, deliver } = await openStation();
    await deployer.install(await deliver());
    const target = { name: 'sample', version: '1.0.0' };
    const ask = (userParams: Record<string, unknown>) =>
      supervisor.execute({ target, stepIndex: 1, image, userParams });
    expect(await ask({ status: 'ERROR' })).toMatchObject({ status: 'ERROR', message: 'asked to fail' });
    expect(await ask({ raise: 'lamp is off' })).toMatchObject({
      status: 'ERROR',
      message: 'lamp is off',
      errorCode: '1009',
    });
  });
});

describe('a package of the execute-only generation', () => {
  test.each(['beside', 'flat', 'inside'] as const)(
    'laid out %s gives a verdict on the image and the guide image',
    async (layout) => {
      const { registry, deployer, supervisor, deliver } = await openStation();
      const entry = await deployer.install(await deliver({ generation: 'execute-only', layout }));
      expect(entry).toMatchObject({ state: 'deployed', generation: 'execute-only', supported_pids: [] });
      await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['ANY'] });
      const guideImage = { data: new Uint8Array(12).fill(9), width: 2, height: 2 };
      const guideInfo = [{ label: 'hole', posList: [{ x: 0, y: 0, width: 1, height: 1 }] }];
      const result = await supervisor.execute({
        productId: 'ANY',
        stepIndex: 1,
        image,
        guideImage,
        guideInfo,
      });
      expect(result.data.debug).toMatchObject({
        first: [200, 7, 7],
        guide: [9, 9, 9],
        guide_info: guideInfo,
      });
      await expect(supervisor.preExecute({ productId: 'ANY', stepIndex: 1, image })).rejects.toMatchObject({
        code: 'unsupported_phase',
      });
    },
  );
});

test('install tells its stages in order and a progress that rises from 0 to 1', async () => {
  const { deployer, deliver } = await openStation();
  const fractions: number[] = [];
  const stages: string[] = [];
  const installed: string[] = [];
  deployer.on('progress', ({ fraction, name, version }) => {
    fractions.push(fraction);
    expect([name, version]).toEqual(['sample', '1.0.0']);
  });
  deployer.on('stage', ({ stage }) => stages.push(stage));
  deployer.on('installed', ({ entry }) => installed.push(`${entry.name} ${entry.version}`));
  await deployer.install(await deliver());
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.at(-1)).toBe(1);
  expect(fractions.length).toBeGreaterThan(3);
  expect(new Set(stages).size).toBe(stages.length);
  expect(installed).toEqual(['sample 1.0.0']);
});

const odd = { name: 'odd', version: '1.0', tag: 'cp27-cp27m-win32' };
const otherPython = { file: wheelFileName(odd), bytes: await buildWheel(odd) };

describe('bad input is refused with its code, and the store stays as it was', () => {
  const raising = {
    'algorithm/__init__.py': '',
    'algorithm/main.py': 'raise RuntimeError("no licence file")\n',
  };
  test.each([
    ['a file that is not a zip', () => Buffer.from('this is not a zip'), 'invalid_zip', /not a zip/i],
    ['a zip cut in half', (good: Buffer) => good.subarray(0, good.length / 2), 'invalid_zip', /bad\.zip/],
    [
      'no manifest',
      { extra: [], manifest: undefined, name: 'sample', noManifest: true },
      'manifest_missing',
      /manifest\.json/,
    ],
    [
      'a manifest that misses a field',
      { manifest: { entry_point: undefined } },
      'manifest_invalid',
      /entry_point/,
    ],
    ['no wheels', { sdk: null, requirements: 'procvision_algorithm_sdk\n' }, 'wheels_missing', /procvision/],
    [
      'wheels for another Python',
      { wheels: [otherPython], requirements: 'odd\n' },
      'incompatible_python',
      /cp27/,
    ],
    ['an import that raises', { files: raising }, 'install_failed', /no licence file/],
  ] as const)('%s', async (_title, source, code, message) => {
    const { root, deployer } = await openStation();
    const { buildPackage, packageEntries, writeZip } = await import('../../src/testing/index.js');
    let bytes: Uint8Array;
    if (typeof source === 'function') bytes = source(Buffer.from(await buildPackage()));
    else if ('noManifest' in source) {
      bytes = writeZip((await packageEntries()).filter(({ name }) => !name.endsWith('manifest.json')));
    } else bytes = await buildPackage(source as Parameters<typeof buildPackage>[0]);
    const zip = path.join(root, 'algorithms', 'zips', 'bad.zip');
    await mkdir(path.dirname(zip), { recursive: true });
    await writeFile(zip, bytes);
    const before = await filesBelow(path.join(root, 'algorithms'));
    const failure = await deployer.install(zip).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      name: 'RunnerError',
      code,
      message: expect.stringMatching(message) as string,
    });
    const left = (await filesBelow(path.join(root, 'algorithms'))).filter((file) => !before.includes(file));
    expect(left.filter((file) => !/^(deployed|\.staging|\.lock[^/]*)$/.test(file))).toEqual([]);
    expect(Buffer.compare(await readFile(zip), bytes)).toBe(0);
  });

  test('a product id that the package does not support', async () => {
    const { registry, deployer, deliver } = await openStation();
    await deployer.install(await deliver());
    await expect(
      registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01', 'Z99'] }),
    ).rejects.toMatchObject({
      code: 'invalid_pid',
      message: expect.stringContaining('Z99') as string,
    });
    expect(await registry.active()).toEqual({});
  });

  test('a product id that another package serves is a conflict, and an active version is not uninstalled', async () => {
    const { registry, deployer, deliver } = await openStation();
    await deployer.install(await deliver());
    await deployer.install(await deliver({ name: 'other' }));
    await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    await expect(
      registry.activate({ name: 'other', version: '1.0.0', productIds: ['A01'] }),
    ).rejects.toMatchObject({
      code: 'activation_conflict',
      errorCode: '2006',
    });
    await expect(deployer.uninstall('sample', '1.0.0')).rejects.toMatchObject({
      code: 'unsafe_uninstall',
      errorCode: '2007',
    });
  });

  test('an image whose bytes are not those of its size', async () => {
    const { deployer, supervisor, deliver } = await openStation();
    await deployer.install(await deliver());
    const target = { name: 'sample', version: '1.0.0' };
    const short = { data: new Uint8Array(11), width: 2, height: 2 };
    await expect(supervisor.execute({ target, stepIndex: 1, image: short })).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringMatching(/12.*11|11.*12/) as string,
    });
  });
});

const numpy = sharedNumpyWheel();
test.skipIf(!numpy)(
  `an algorithm on NumPy arrays runs from a package with a real wheel${numpy ? '' : ' (skipped: no wheel beside the checkout fits)'}`,
  async () => {
    const { deployer, supervisor, deliver } = await openStation();
    const file = numpy ?? '';
    const source = `import numpy
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        image = read_image_from_shared_memory(shared_mem_id, image_meta)
        assert isinstance(image, numpy.ndarray)
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [],
                "debug": {"shape": list(image.shape), "mean": float(image.mean())}}}
`;
    await deployer.install(
      await deliver({
        files: { 'algorithm/__init__.py': '', 'algorithm/main.py': source },
        wheels: [{ file: path.basename(file), bytes: await readFile(file) }],
        requirements: 'procvision_algorithm_sdk\nnumpy\n',
      }),
    );
    const target = { name: 'sample', version: '1.0.0' };
    const result = await supervisor.execute({ target, stepIndex: 1, image });
    expect(result.data.debug).toEqual({ shape: [2, 2, 3], mean: (200 + 7 + 7) / 3 });
  },
);
