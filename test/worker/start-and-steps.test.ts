import { describe, expect, onTestFinished, test } from 'vitest';
import { TemporaryStore } from '../../src/testing/index.js';

const image = { data: new Uint8Array(12).fill(5), width: 2, height: 2 };
const target = { name: 'sample', version: '1.0.0' };

/** An algorithm of the phased generation: `setup` and `body` are lines of its methods, `body` fills `debug`. */
const sourceOf = ({
  setup = 'pass',
  body = 'pass',
  top = '',
}) => `from procvision_algorithm_sdk import BaseAlgorithm
${top}
class Algorithm(BaseAlgorithm):
    def setup(self):
        ${setup.replaceAll('\n', '\n        ')}
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, *call):
        debug = {"step": step_index}
        ${body.replaceAll('\n', '\n        ')}
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "debug": debug}}
`;

async function openStore(source: string) {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  const entry = await store.deploy({ source });
  return { store, entry };
}

test.each([
  ['setup()', { setup: 'raise Mute()' }, /setup\(\) raised Mute/],
  ['the import', { body: 'pass' }, /: Mute/],
])('an exception in %s whose own text raises is named by its class', async (_, where, message) => {
  const top = `class Mute(Exception):
    def __str__(self):
        raise ValueError("no text")
${'setup' in where ? '' : 'raise Mute()'}`;
  const { store } = await openStore(sourceOf({ top, ...where }));
  const supervisor = store.supervise({ worker: 'bundled', policy: { maxRestarts: 0 } });
  await expect(supervisor.start('sample', '1.0.0')).rejects.toMatchObject({
    code: 'start_failed',
    message: expect.stringMatching(message) as string,
  });
});

describe.each(['sdk', 'bundled'] as const)('under the %s worker', (worker) => {
  test('an exception in setup() is a failed start that says so, unless the policy takes it for a warning', async () => {
    const setup = 'raise OSError("model.onnx is not there")';
    const { store } = await openStore(sourceOf({ setup }));
    const policy = { maxRestarts: 0 };
    const strict = store.supervise({ worker, policy });
    const error: unknown = await strict.start('sample', '1.0.0').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'start_failed' });
    const text = JSON.stringify([(error as Error).message, (error as { details: object }).details]);
    expect(text).toContain('OSError: model.onnx is not there');
    const lenient = store.supervise({ worker, policy: { ...policy, setupErrors: 'warn' } });
    const { data } = await lenient.execute({ target, stepIndex: 1, image });
    expect(data.result_status).toBe('OK');
  });

  test('a setup() that mends what its base class raises is a good start', async () => {
    const top = `class Base(BaseAlgorithm):
    def setup(self):
        raise OSError("no GPU")
`;
    const setup = 'try:\n    super().setup()\nexcept OSError:\n    self.mended = True';
    const source = sourceOf({ top, setup, body: 'debug["mended"] = self.mended' });
    const { store } = await openStore(
      source.replace('class Algorithm(BaseAlgorithm)', 'class Algorithm(Base)'),
    );
    const { data } = await store.supervise({ worker }).execute({ target, stepIndex: 1, image });
    expect(data.debug).toMatchObject({ mended: true });
  });

  test.each(['spawn', 'forkserver'])(
    'a process that the algorithm starts by %s is no second worker',
    async (way) => {
      if (process.platform === 'win32' && way === 'forkserver') return;
      const top = `import multiprocessing, operator
if multiprocessing.current_process().name != "MainProcess": raise SystemExit("loaded again")`;
      const body = `with multiprocessing.get_context("${way}").Pool(1) as pool:
    debug["product"] = pool.apply_async(operator.mul, (6, 7)).get(timeout=20)`;
      const { store } = await openStore(sourceOf({ top, body }));
      const supervisor = store.supervise({ worker });
      const { data } = await supervisor.execute({ target, stepIndex: 1, image, timeoutMs: 40_000 });
      expect(data.debug).toMatchObject({ product: 42 });
    },
  );

  test('a step that the package declares is called by its own index, 0 included, and any other is refused', async () => {
    const { store, entry } = await openStore(sourceOf({}));
    const supervisor = store.supervise({ worker });
    const refused = { code: 'invalid_params', details: { path: 'stepIndex' } };
    await expect(supervisor.execute({ target, stepIndex: 0, image })).rejects.toMatchObject(refused);
    expect((await supervisor.execute({ target, stepIndex: 3, image })).data.debug).toEqual({ step: 3 });
    await supervisor.stop('sample', '1.0.0');
    await store.registry.register({ ...entry, step_indexes: [0, 2] });
    const first = await supervisor.execute({ target, stepIndex: 0, image });
    expect(first.data.debug).toEqual({ step: 0 });
    await expect(supervisor.execute({ target, stepIndex: 1, image })).rejects.toMatchObject({
      ...refused,
      message: /one of its steps \(0, 2\), not 1/,
    });
  });
});
