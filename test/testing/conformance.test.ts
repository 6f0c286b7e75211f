import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { drawBoard } from '../../src/cli/quickstart/board.js';
import { packBoardCheck } from '../../src/cli/quickstart/package.js';
import type { StepParameter } from '../../src/package/types.js';
import {
  conformance,
  FakeWorker,
  TemporaryStore,
  type ConformanceOptions,
  type ConformanceReport,
  type VersionSource,
} from '../../src/testing/index.js';

const target = { name: 'sample', version: '1.0.0' };
/** All that one worker is asked for. */
const OF_ALGORITHM = [2, 3, 5, 10, 11, 14, 15, 22, 23, 24, 25, 26];

/** One parameter of each type, with every kind of bound. */
const PARAMS: StepParameter[] = [
  { key: 'count', type: 'int', min: 1, max: 9, default: 3 },
  { key: 'gain', type: 'float', min: 0, max: 2, required: true },
  { key: 'mode', type: 'enum', choices: ['fast', 'exact'], default: 'fast' },
  { key: 'serial', type: 'string', min_length: 2, max_length: 8 },
  { key: 'strict', type: 'bool', default: false },
  { key: 'region', type: 'rect' },
];

function failed({ rows }: ConformanceReport): number[] {
  return rows.filter(({ result }) => result === 'fail').map(({ number }) => number);
}

function row(report: ConformanceReport, number: number) {
  return report.rows.find((one) => one.number === number);
}

/** A phased algorithm: bodies of its methods, of which `image` is the picture and `OK` an answer. */
function phased(o: {
  execute?: string;
  pre?: string;
  setup?: string;
  teardown?: string;
  head?: string;
}): string {
  const body = (text: string) => text.replaceAll('\n', '\n        ');
  return `import json, os, time
from procvision_algorithm_sdk import BaseAlgorithm, GPUOutOfMemoryError, read_image_from_shared_memory
OK = {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": []}}
${o.head ?? ''}
def ng(rects, **more):
    return {"status": "OK", "message": "", "data": dict({"result_status": "NG", "ng_reason": "spot", "defect_rects": rects}, **more)}

class Algorithm(BaseAlgorithm):
    def setup(self):
        ${body(o.setup ?? 'pass')}
    def teardown(self):
        ${body(o.teardown ?? 'pass')}
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": [{"index": 1, "name": "look"}]}
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        ${body(o.pre ?? 'return {"status": "OK", "message": "", "data": {}}')}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        image = bytes(read_image_from_shared_memory(shared_mem_id, image_meta))
        ${body(o.execute ?? 'return OK')}
`;
}

async function run(
  version: VersionSource & { params?: StepParameter[] },
  options: ConformanceOptions,
  change?: (store: TemporaryStore) => Promise<unknown>,
): Promise<ConformanceReport> {
  const { params, ...source } = version;
  await using store = await TemporaryStore.open();
  const entry = await store.deploy(source);
  if (params) await store.registry.register({ ...entry, steps: [{ index: 1, params }] });
  await change?.(store);
  return await conformance(store, target, options);
}

describe('an honest version', () => {
  test.each([
    ['phased', 'sdk'],
    ['phased', 'bundled'],
    ['execute-only', 'sdk'],
    ['execute-only', 'bundled'],
  ] as const)(
    'of the %s generation passes every row that it has under the %s worker',
    async (generation, worker) => {
      const report = await run({ generation, productIds: ['A01', 'B02'], params: PARAMS }, { worker });
      expect(report).toMatchObject({ name: 'sample', version: '1.0.0', generation, worker, passed: true });
      expect(failed(report)).toEqual([]);
      expect(report.rows.map(({ number }) => number)).toEqual(
        Array.from({ length: 27 }, (_, number) => number),
      );
      const skipped = report.rows.filter(({ result }) => result === 'skip');
      const notOnWindows = process.platform === 'win32' ? [18] : [];
      const none = generation === 'phased' ? [12, 13, 14] : [11, 12, 13, 14, 16];
      expect(skipped.map(({ number }) => number)).toEqual([...none, ...notOnWindows]);
      expect(skipped.every(({ reason }) => reason !== undefined && reason !== '')).toBe(true);
    },
  );

  test('such as the board check of the quickstart passes on its own board', async () => {
    await using store = await TemporaryStore.open();
    const zip = path.join(store.folder, 'board-check.zip');
    await writeFile(zip, await packBoardCheck(drawBoard({ seed: 1 })));
    await store.deployer().install(zip);
    const board = { name: 'board-check', version: '1.0.0' };
    const rows = [3, 5, 7, 8, 24, 26];
    const report = await conformance(store, board, { rows, image: drawBoard({ seed: 2 }) });
    expect(failed(report)).toEqual([]);
    expect([3, 7, 8, 24, 26].map((number) => row(report, number)?.result)).toEqual(Array(5).fill('pass'));
    expect(row(report, 0)?.message).toContain('execute answered OK');
    // The gradient is of another size than the board.
    const others = await conformance(store, board, { rows: [23, 24] });
    expect(others.rows.map(({ result }) => result)).toEqual(['pass', 'skip', 'skip']);
    expect(row(others, 24)?.reason).toContain('give a picture of the product as image');
  });

  test('that tells of an exhausted GPU passes row 14', async () => {
    const source = phased({
      execute: 'if user_params.get("big"):\n    raise GPUOutOfMemoryError("8 GB")\nreturn OK',
    });
    for (const worker of ['sdk', 'bundled'] as const) {
      const report = await run(
        { source },
        { worker, rows: [14], outOfGpuMemory: { userParams: { big: true } } },
      );
      expect(row(report, 14)).toMatchObject({ result: 'pass' });
    }
  });
});

describe('a version with a fault is red at its row and no other', () => {
  const spot = '{"x": 0, "y": 0, "width": 1, "height": 1}';
  test.each<[number, string, string]>([
    [2, 'that takes a field of image_meta for granted', 'image_meta["camera_id"]\nreturn OK'],
    [3, 'that raises on a small picture', 'assert image_meta["width"] > 4\nreturn OK'],
    [3, 'that dies of a narrow picture', 'if image_meta["width"] == 2: os._exit(7)\nreturn OK'],
    [5, 'that divides by the brightness', '1 / sum(image)\nreturn OK'],
    [10, 'that has a table of product ids', '{"A01": 1, "B02": 2}[pid]\nreturn OK'],
    [
      11,
      'that has no template for one of its product ids',
      'if pid == "B02": return {"status": "ERROR", "message": "no template"}\nreturn OK',
    ],
    [15, 'that leaves a file open in each call', 'LEFT.append(open(__file__))\nreturn OK'],
    [23, 'that answers with 21 rects', `return ng([${spot}] * 21)`],
    [
      24,
      'that answers with a rect outside the picture',
      'return ng([{"x": image_meta["width"], "y": 0, "width": 1, "height": 1}])',
    ],
    [25, 'that gives no reason', `return ng([${spot}], ng_reason=None)`],
    [25, 'that leaves result_status out', 'return {"status": "OK", "message": "", "data": {}}'],
    [25, 'that returns nothing', 'if sum(image) == 0: return OK'],
    [
      26,
      'that calls a verdict PASS',
      'return {"status": "OK", "message": "", "data": {"result_status": "PASS"}}',
    ],
  ])('row %i: an algorithm %s', async (number, _, execute) => {
    const source = phased({ execute, head: 'LEFT = []' });
    const report = await run({ source, productIds: ['A01', 'B02'] }, { rows: OF_ALGORITHM });
    // Linux alone tells which files a process has open.
    const isSeen = number !== 15 || process.platform === 'linux';
    expect(failed(report)).toEqual(isSeen ? [number] : []);
    expect(report.passed).toBe(!isSeen);
  });

  test.each<[number[], string, Parameters<typeof phased>[0]]>([
    [[0, 16], 'whose pre_execute takes too long', { pre: 'time.sleep(60)' }],
    [[0, 17], 'whose execute takes too long', { execute: 'time.sleep(60)' }],
    [[0, 19], 'that dies of an ordinary call', { execute: 'os._exit(3)' }],
    [[0], 'that raises in an ordinary call', { execute: 'raise ValueError("no board")' }],
    [[0], 'whose setup() fails', { setup: 'raise ValueError("no licence")' }],
    [[15], 'whose teardown() hangs', { teardown: 'time.sleep(60)' }],
  ])(
    'rows %j: an algorithm %s',
    async (numbers, _, bodies) => {
      const policy = { preTimeoutMs: 500, executeTimeoutMs: 500, limits: { shutdownMs: 200 } };
      const report = await run(
        { source: phased(bodies) },
        { rows: numbers[0] === 0 ? [15, 16, 17, 18, 19] : numbers, policy },
      );
      expect(failed(report)).toEqual(numbers);
      // Nothing is said to be right of which nothing was seen.
      if (numbers[0] === 0) expect(row(report, 18)).toMatchObject({ result: 'skip' });
    },
    30_000,
  );

  test.each<[number, string, StepParameter]>([
    [6, 'that is required and has a default', { key: 'a', type: 'int', required: true, default: 1 }],
    [7, 'of a type that is not known', { key: 'a', type: 'number', default: 1 }],
    [8, 'with bounds that no value meets', { key: 'a', type: 'int', min: 5, max: 1 }],
    [8, 'whose default its own bounds refuse', { key: 'a', type: 'int', max: 5, default: 7 }],
  ])('row %i: a parameter %s', async (number, _, parameter) => {
    const report = await run({ params: [parameter] }, { rows: [6, 7, 8, 9] });
    expect(failed(report)).toEqual([number]);
  });

  test('row 6: an algorithm that takes an optional parameter for granted', async () => {
    const source = phased({ execute: 'user_params["limit"]\nreturn OK' });
    const report = await run({ source, params: [{ key: 'limit', type: 'int' }] }, { rows: [6, 7, 8, 9] });
    expect(failed(report)).toEqual([6]);
    expect(row(report, 6)?.message).toContain('a call without limit raised KeyError');
  });

  test('rows 6 to 9: a host that passes parameters on unchecked', async () => {
    const options: ConformanceOptions = { rows: [6, 7, 8, 9], policy: { parameters: 'pass' } };
    expect(failed(await run({ params: PARAMS }, options))).toEqual([6, 7, 8, 9]);
  });

  test('row 14: an algorithm that hides an exhausted GPU behind an exception of its own', async () => {
    const source = phased({
      execute: 'if user_params.get("big"):\n    raise RuntimeError("CUDA out of memory")\nreturn OK',
    });
    const report = await run(
      { source },
      { rows: OF_ALGORITHM, outOfGpuMemory: { userParams: { big: true } } },
    );
    expect(failed(report)).toEqual([14]);
  });

  test('rows 1 and 4: a worker that answers without its picture', async () => {
    const report = await run(
      { worker: new FakeWorker({ hidesPictures: true }) },
      { rows: [1, 4], policy: { proof: 'off' } },
    );
    expect(failed(report)).toEqual([1, 4]);
  });

  test.each<[number, string, string, string]>([
    [20, 'that waits after bad JSON', 'except ValueError:', 'time.sleep(60)'],
    [
      21,
      'that takes what has come for a whole frame',
      'length = int.from_bytes(header, "big")',
      'if len(sys.stdin.buffer.peek(1)) < length: return None',
    ],
  ])('row %i: a worker %s', async (number, _, line, fault) => {
    const options = { rows: [20, 21], policy: { limits: { heartbeatGraceMs: 1_000 } } };
    const report = await run({}, options, async ({ layout }) => {
      const file = path.join(layout.deployed('sample', '1.0.0'), 'procvision_algorithm_sdk', 'wire.py');
      const source = await readFile(file, 'utf8');
      expect(source).toContain(line);
      await writeFile(file, source.replace(line, `${line}\n${number === 20 ? '    ' : ''}    ${fault}`));
    });
    expect(failed(report)).toEqual([number]);
  });

  test('row 22: a worker of another generation than the version is registered with', async () => {
    const report = await run({}, { rows: OF_ALGORITHM }, async ({ registry }) => {
      const entry = await registry.get('sample', '1.0.0');
      if (entry) await registry.register({ ...entry, generation: 'execute-only' });
    });
    expect(failed(report)).toEqual([22]);
  });
});

test('files that setup() reads are told when they are damaged, and files that it does not read are red', async () => {
  const head =
    'def MODEL():\n    with open("assets/model.bin", "rb") as file:\n        assert file.read(4) == b"PVM1"\n';
  const CONFIG = 'with open("assets/config.json") as file:\n    json.load(file)';
  const main = (setup: string) => phased({ setup, head });
  await using store = await TemporaryStore.open();
  const zip = await store.deliver({
    files: {
      'algorithm/__init__.py': '',
      'algorithm/main.py': main(`${CONFIG}\nMODEL()`),
      'assets/config.json': '{}',
      'assets/model.bin': 'PVM1',
    },
    manifest: {
      required_assets: { A01: { model: 'assets/model.bin' } },
      default_config: { config: 'assets/config.json' },
    },
  });
  await store.deployer().install(zip);
  const rows = [11, 12, 13];
  const honest = await conformance(store, target, { rows });
  expect(honest.rows.map(({ result }) => result)).toEqual(Array(4).fill('pass'));

  const root = store.layout.deployed('sample', '1.0.0');
  for (const [setup, numbers] of [
    ['MODEL()', [12]],
    [CONFIG, [13]],
  ] as const) {
    await rm(path.join(root, 'algorithm', '__pycache__'), { recursive: true, force: true });
    await writeFile(path.join(root, 'algorithm', 'main.py'), main(setup));
    expect(failed(await conformance(store, target, { rows }))).toEqual(numbers);
  }
});

test('a strict suite wants ERROR for a picture and a product id that make no sense', async () => {
  const rows = [2, 3, 5, 10];
  expect(failed(await run({}, { rows, strict: true }))).toEqual([3, 5, 10]);
  const execute = `
sizes = image_meta["width"] < 8 or image_meta["height"] < 8
if sizes or pid != "A01" or max(image) == 0: return {"status": "ERROR", "message": "no board", "error_code": "1006"}
return OK`;
  expect(failed(await run({ source: phased({ execute }) }, { rows, strict: true }))).toEqual([]);
});

test('a version that is not deployed, and rows that do not exist, are refused', async () => {
  await using store = await TemporaryStore.open();
  await expect(conformance(store, target)).rejects.toMatchObject({ code: 'not_found' });
  await expect(conformance(store, target, { rows: [27] })).rejects.toMatchObject({ code: 'invalid_params' });
});

test('an aborted suite rejects and leaves no process behind', async () => {
  await using store = await TemporaryStore.open();
  await store.deploy({ source: phased({ execute: 'time.sleep(60)' }) });
  const ended = conformance(store, target, { signal: AbortSignal.timeout(700) });
  await expect(ended).rejects.toMatchObject({ name: 'AbortError' });
});
