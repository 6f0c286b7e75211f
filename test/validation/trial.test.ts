import { describe, expect, test } from 'vitest';
import { VenvManager } from '../../src/python/venv-manager.js';
import { PackageValidator, type PackageValidatorOptions } from '../../src/validation/package-validator.js';
import { packageFile } from '../support/package-file.js';

/** How wheels are installed is tried elsewhere: links are made in half the time that pip takes. */
const venvs = new VenvManager({ installer: 'link' });

/** A package whose algorithm has these lines at the top, in `setup()` and in `execute()`, which fills `debug`. */
async function trial(
  { top = '', setup = 'pass', body = 'pass', steps = '[]' },
  options: PackageValidatorOptions = {},
  generation: 'phased' | 'execute-only' = 'phased',
) {
  const indent = (text: string) => text.replaceAll('\n', '\n        ');
  const answer = '{"status": "OK", "message": "", "data": {"result_status": "OK", "debug": debug}}';
  const source = `from procvision_algorithm_sdk import BaseAlgorithm
${generation === 'phased' ? 'from procvision_algorithm_sdk import read_image_from_shared_memory' : ''}
${top}

class Algorithm(BaseAlgorithm):
    def setup(self):
        ${indent(setup)}
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": ${steps}}
    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, *call):
        debug = {}
        ${indent(body)}
        return ${answer}
`;
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': source, 'algorithm/work.py': WORK };
  const report = await new PackageValidator({ venvs, ...options }).validate(
    await packageFile({ generation, files }),
  );
  const of = (name: string) => report.checks.find((check) => check.name === name);
  return { report, of };
}

const WORK = 'def square(x):\n    return x * x\n';

describe.each(['phased', 'execute-only'] as const)(
  'the trial of a package of the %s generation',
  (generation) => {
    test('refuses answers that an SDK cannot write, each by its path, type and remedy', async () => {
      const top = `import datetime
class float32:
    pass
float32.__module__ = "numpy"
class floating(float32):
    pass
floating.__module__ = "numpy"`;
      const body = `debug.update(mean=floating(), png=b"x", at=datetime.date(2020, 1, 1), file="\\udc80.bin")
debug[(1, 2)] = 3`;
      const { report, of } = await trial({ top, body }, {}, generation);
      expect(report.summary.status).toBe('FAIL');
      const { message = '' } = of('answer_encoding') ?? {};
      expect(message.split('; ')).toEqual([
        'data.debug.mean is numpy.floating: float() it',
        'data.debug.png is bytes: leave it out, or encode it with base64',
        'data.debug.at is datetime.date: call .isoformat()',
        expect.stringMatching(
          /^data\.debug\.file is a text that UTF-8 cannot hold, '\\udc80\.bin'/,
        ) as string,
        'data.debug has the key (1, 2), which is tuple: str() it',
      ]);
      expect(report.error).toMatchObject({ code: 'install_failed', details: { stage: 'answer_encoding' } });
    });

    test.each(['spawn', 'forkserver'])(
      'lets the algorithm start processes by %s, which do not load it again',
      async (way) => {
        if (process.platform === 'win32' && way === 'forkserver') return;
        const body = `import multiprocessing
from algorithm.work import square
with multiprocessing.get_context("${way}").Pool(1) as pool:
    assert pool.apply_async(square, (7,)).get(timeout=20) == 49`;
        const top =
          'import multiprocessing\nif multiprocessing.current_process().name != "MainProcess": raise SystemExit("again")';
        const { report } = await trial({ top, body }, {}, generation);
        expect(report.error?.message).toBeUndefined();
        expect(report.summary.status).toBe('PASS');
      },
    );

    test.skipIf(process.platform === 'win32').each([
      ['leaves by sys.exit()', 'sys.exit(0)'],
      ['raises', 'raise ValueError("in the child")'],
      ['comes back from the call', 'pass'],
    ])('lets the algorithm fork a process that %s', async (_, code) => {
      const body = `import os, sys
child = os.fork()
if child == 0:
    ${code}
else:
    debug["ended"] = os.waitpid(child, 0)[1]`;
      const { report } = await trial({ body }, {}, generation);
      expect(report.error?.message).toBeUndefined();
      expect(report.checks.filter(({ name }) => name === 'execute_return_dict')).toHaveLength(1);
    });

    test('names an answer that cannot be looked at, and how deep one is that is too deep', async () => {
      const top = `class Lazy(dict):
    def items(self):
        raise RuntimeError("not read yet")`;
      const lazy = await trial({ top, body: 'debug["lazy"] = Lazy(a=1)' }, {}, generation);
      expect(lazy.of('answer_encoding')?.message).toBe('data cannot be read: RuntimeError: not read yet');
      const deep = await trial({ body: 'for _ in range(300): debug = {"a": debug}' }, {}, generation);
      expect(deep.of('answer_encoding')?.message).toMatch(
        /^data\.debug[.a]{20,75} is nested more than 200 deep$/,
      );
    });

    test('calls twice, in RGB and in BGR, and one failing call of the two is enough', async () => {
      const body = `Algorithm.count = getattr(Algorithm, "count", 0) + 1
if Algorithm.count == 2: raise KeyError("second")`;
      const { of } = await trial({ body }, {}, generation);
      expect(of('execute_return_dict')).toMatchObject({
        result: 'FAIL',
        message: "KeyError: 'second' (in the call in BGR, with what is required)",
      });
    });

    test('has the variables that workers get, and those of the user', async () => {
      const top = `import os, getpass
assert os.environ["CAMERA_LIBRARY"] == "/opt/camera"
assert os.environ["PROC_ENTRY_POINT"] == "algorithm.main:Algorithm"
assert open(__file__).encoding.lower().replace("-", "") == "utf8"`;
      const { report } = await trial({ top }, { env: { CAMERA_LIBRARY: '/opt/camera' } }, generation);
      expect(report.error?.message).toBeUndefined();
    });
  },
);

test('an exception in setup() fails the trial with its traceback, and is a warning where that is permitted', async () => {
  const setup = 'raise OSError("model.onnx is not there")';
  const { report, of } = await trial({ setup });
  expect(of('setup')).toMatchObject({
    result: 'FAIL',
    message: 'setup() raised OSError: model.onnx is not there',
  });
  expect(report.error?.details.traceback).toMatch(/in setup\n.*raise OSError/s);
  const permitted = await trial({ setup }, { setupErrors: 'warn' });
  expect(permitted.report.summary.status).toBe('PASS');
  expect(permitted.of('setup')?.message).toMatch(/OSError.*setupErrors: 'warn' permits/);
});

test('both pictures are told from each other by the order of their channels', async () => {
  const body = `image = read_image_from_shared_memory(call[4], call[5])
first, order = list(bytes(image))[9:12], call[5]["color_space"]
assert first == [9, 6, 3], (first, order)`;
  const { report } = await trial({ body });
  expect(report.error?.message).toBeUndefined();
});

test('parameters are given with their defaults in one call, and only as far as they are required in the other', async () => {
  const steps = `[{"index": 0, "name": "a", "params": [{"key": "far", "type": "int", "default": 5}, {"key": "near", "type": "int", "required": True, "min": 2}]}]`;
  const body = `Algorithm.seen = getattr(Algorithm, "seen", []) + [(call[0], call[3])]
if len(Algorithm.seen) == 2:
    assert Algorithm.seen == [(0, {"far": 5, "near": 2}), (0, {"near": 2})], Algorithm.seen`;
  const { report } = await trial({ steps, body });
  expect(report.error?.message).toBeUndefined();
});

test('the limit of the loading is an option of its own, and its name is in the message', async () => {
  const { of } = await trial({ top: 'import time; time.sleep(30)' }, { loadTimeoutMs: 1_500 });
  expect(of('entry_import')?.message).toBe('took longer than 1.5 s, the loadTimeoutMs of the validator');
});

test.each([
  ['pkg_resources', /No module named 'pkg_resources'.*add the wheel of setuptools below version 82/],
  ['setuptools.dist', /add the wheel of setuptools to the package, and name it in requirements\.txt/],
])(
  'an algorithm that imports %s, which is not there, is told of the wheel that has it',
  async (module, message) => {
    const { of } = await trial({ top: `import ${module}` });
    expect(of('entry_import')).toMatchObject({
      result: 'FAIL',
      message: expect.stringMatching(message) as string,
    });
  },
);
