import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ImageInput } from '../../src/index.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { cliFolder } from '../support/cli.js';
import { publishedSdk } from '../support/index-wheels.js';

const size = { width: 16, height: 8 };
/** Of one colour, so that a JPEG of it is of that colour too. */
const colour = [30, 90, 200] as const;
const rgba = Buffer.alloc(16 * 8 * 4, Buffer.from([...colour, 255]));
const pixels = (...values: number[]) =>
  new Uint8Array(16 * 8 * values.length).fill(0).map((_, at) => values[at % values.length] ?? 0);
function png(colorType: 0 | 2): Buffer {
  const image = new PNG({ ...size });
  image.data = rgba;
  return PNG.sync.write(image, { colorType });
}
const grey = PNG.sync.read(png(0)).data[0];

const look = (image: string) => `look(${image}, {})`;
const head = `from procvision_algorithm_sdk import BaseAlgorithm
def look(image, meta):
    image[1, 1] = 7
    return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": {
        "shape": list(image.shape), "dtype": str(image.dtype), "first": image[0, 0].tolist(),
        "contiguous": bool(image.flags.c_contiguous), "writable": bool(image.flags.writeable)}}}
`;
const SOURCES = {
  phased: `${head}
from procvision_algorithm_sdk import read_image_from_shared_memory
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        return look(read_image_from_shared_memory(shared_mem_id, image_meta), image_meta)
`,
  'execute-only': `${head}
class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        return ${look('cur_image')}
`,
};

const inputs: [title: string, image: ImageInput, first: (number | undefined)[]][] = [
  ['RGB pixels', { data: pixels(...colour), ...size }, [30, 90, 200]],
  ['BGR pixels', { data: pixels(200, 90, 30), ...size, colorSpace: 'BGR' }, [30, 90, 200]],
  ['mono pixels', { data: pixels(55), ...size, channels: 1 }, [55, 55, 55]],
  ['a PNG', { encoded: png(2), ...size }, [30, 90, 200]],
  ['a PNG whose channels are B, G, R', { encoded: png(2), ...size, colorSpace: 'BGR' }, [200, 90, 30]],
  ['a gray PNG', { encoded: png(0), ...size }, [grey, grey, grey]],
  ['a JPEG', { encoded: jpeg.encode({ ...size, data: rgba }, 100).data, ...size }, [30, 90, 200]],
];

describe.each([
  ['phased', '0.0.7'],
  ['execute-only', '0.3.2'],
] as const)('under the published SDK of the %s generation', (generation, version) => {
  test('every kind of picture is an array that the algorithm may draw on, under both workers', async (t) => {
    const wheels = await publishedSdk(version);
    t.skip(!wheels, 'there is no package index, or no wheel for this Python');
    const store = await TemporaryStore.open();
    onTestFinished(() => store.close());
    const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': SOURCES[generation] };
    const sdk = wheels ?? [];
    const zip = await store.deliver({
      generation,
      files,
      sdk,
      requirements: 'procvision_algorithm_sdk\n',
      productIds: ['A01'],
    });
    await store.deployer().install(zip);
    for (const worker of ['sdk', 'bundled'] as const) {
      const supervisor = store.supervise({ worker });
      for (const [title, image, first] of inputs) {
        const request = {
          target: { name: 'sample', version: '1.0.0' },
          stepIndex: 1,
          image,
          guideImage: 'same' as const,
        };
        const { data } = await supervisor.execute(request);
        const expected = { shape: [8, 16, 3], dtype: 'uint8', writable: true, contiguous: true };
        const found = data.debug as { first: number[] };
        expect({ worker, title, ...found }).toMatchObject({ worker, title, ...expected });
        for (const [at, value] of found.first.entries())
          expect(Math.abs(value - (first[at] ?? 0))).toBeLessThanOrEqual(2);
      }
      const call = {
        target: { name: 'sample', version: '1.0.0' },
        stepIndex: 1,
        guideImage: 'same' as const,
      };
      const handedOn = supervisor.execute({ ...call, image: { encoded: png(2), decode: 'package' } });
      if (generation === 'execute-only') {
        // Its SDK does without Pillow.
        await expect(handedOn).rejects.toMatchObject({ code: 'unsupported_image', message: /needs Pillow/ });
        continue;
      }
      const { data, proof } = await handedOn;
      expect(data.debug).toMatchObject({ shape: [8, 16, 3], first: [...colour], writable: true });
      expect(proof).toMatchObject({ by: 'worker', images: [{ sizeBytes: png(2).length }] });
    }
    if (generation === 'execute-only') return;
    // The same from the command line.
    const cli = await cliFolder();
    await writeFile(path.join(cli.folder, 'a.png'), png(2));
    for (const [flag, by] of [
      ['package', 'worker'],
      ['host', 'host'],
    ] as const) {
      const call = ['run', 'sample', '1.0.0', 'a.png', '--root', store.root, '--decode', flag, '--json'];
      expect((await cli.run(...call)).json()).toMatchObject([{ result: { status: 'OK', proof: { by } } }]);
    }
  });
});
