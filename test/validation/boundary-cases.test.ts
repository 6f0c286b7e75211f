import { expect, test } from 'vitest';
import type { ValidationReport } from '../../src/index.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { PackageValidator, type PackageValidatorOptions } from '../../src/validation/package-validator.js';
import { temporaryRunner } from '../support/open-runner.js';
import { packageFile } from '../support/package-file.js';

/** How wheels are installed is tried elsewhere: links are made in half the time that pip takes. */
const venvs = new VenvManager({ installer: 'link' });

/** A phased package whose `execute()` does this with picture, size, product id and metadata in reach. */
function packageOf(body: string) {
  const source = `import os, time
from procvision_algorithm_sdk import BaseAlgorithm, read_image_from_shared_memory

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01", "A02"], "steps": []}
    def pre_execute(self, *call):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step, pid, session, params, shared_mem_id, meta):
        image = read_image_from_shared_memory(shared_mem_id, meta)
        size = (meta["width"], meta["height"])
        black = not bytes(image).strip(b"\\0")
        ng = {"result_status": "NG", "ng_reason": "spot", "defect_rects": []}
        data = {"result_status": "OK"}
        ${body.replaceAll('\n', '\n        ')}
        return {"status": "OK", "message": "", "data": data}
`;
  const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': source };
  return packageFile({ productIds: ['A01', 'A02'], files });
}

async function check(body: string, options: PackageValidatorOptions = {}) {
  return new PackageValidator({ venvs, ...options }).validate(await packageOf(body));
}

const outcomes = ({ boundaryCases = [] }: ValidationReport) =>
  Object.fromEntries(boundaryCases.map(({ number, result }) => [number, result]));
const ofCheck = ({ checks }: ValidationReport) => checks.find(({ name }) => name === 'boundary_cases');

test('a package that handles them passes, each case with what was seen; cases of the other generation are skipped', async () => {
  const phased = await check('pass');
  expect(phased.summary.status).toBe('PASS');
  expect(phased.warnings).toBeUndefined();
  expect(outcomes(phased)).toEqual({
    ...{ 2: 'PASS', 3: 'PASS', 5: 'PASS', 6: 'SKIP', 10: 'PASS', 11: 'PASS' },
    ...{ 15: process.platform === 'linux' ? 'PASS' : 'SKIP' },
    ...{ 23: 'PASS', 24: 'PASS', 25: 'PASS', 26: 'PASS' },
  });
  expect(phased.boundaryCases?.find(({ number }) => number === 3)).toMatchObject({
    ...{ title: 'picture larger or smaller than is sensible', owedBy: ['algorithm'], errorCode: '1006' },
    message: 'a picture of 1 x 1: OK; a picture of 4096 x 2: OK; a picture of 2 x 4096: OK',
  });
  const executeOnly = await new PackageValidator({ venvs }).validate(
    await packageFile({ generation: 'execute-only' }),
  );
  expect(executeOnly.summary.status).toBe('PASS');
  expect(outcomes(executeOnly)).toMatchObject({ 2: 'SKIP', 3: 'PASS', 5: 'PASS', 10: 'SKIP', 11: 'SKIP' });
});

test('each case that is not handled is a warning by its number, and the package passes', async () => {
  const report = await check(`Algorithm.kept = getattr(Algorithm, "kept", []) + [open(os.devnull)]
meta["camera_id"]
if size == (4096, 2): raise IndexError("no such row")
if black: data = dict(ng, defect_rects=[{"x": 0, "y": 0, "width": 65, "height": 1}] * 21)
if size == (1, 1): data = {"result_status": "GOOD"}
if size == (2, 4096): return {"message": "", "data": ng}
if pid == "A02": return {"status": "ERROR", "message": "no template", "data": {}}
if pid not in ("A01", "A02"): raise KeyError(pid)`);
  expect(report.summary.status).toBe('PASS');
  expect(ofCheck(report)).toMatchObject({
    result: 'PASS',
    message: process.platform === 'linux' ? '2 of 10 are handled' : '2 of 9 are handled',
  });
  expect(report.warnings).toEqual(
    [
      /boundary case 2 \(image_meta lacks a field\): a picture without camera_id raised KeyError: 'camera_id'/,
      /case 3 \(.*\): a picture of 4096 x 2 raised IndexError: no such row\. Answer with the status ERROR/,
      /case 10 \(product id not supported\): a product id that is not supported raised KeyError/,
      /case 11 \(.*\): product id A02 is answered with ERROR, and A01 is not\. Put its assets into the package/,
      ...(process.platform === 'linux' ? [/case 15 \(.*\): 10 calls left 10 files open/] : []),
      /case 23 \(.*\): a black picture: there are 21 defect_rects/,
      /case 24 \(.*\): a black picture: the rect \{.*'width': 65.*\} reaches out of the picture/,
      /case 26 \(.*\): a picture of 1 x 1: result_status is 'GOOD'/,
    ].map((words) => expect.stringMatching(words) as string),
  );
  expect(outcomes(report)).toMatchObject({ 5: 'PASS', 25: 'PASS' });
});

test('a case in which the process ends is named, and is no fault of the trial before it', async () => {
  const report = await check('if size == (1, 1): os._exit(7)');
  expect(report.summary.status).toBe('PASS');
  expect(outcomes(report)).toEqual({ 2: 'PASS', 3: 'FAIL' });
  expect(report.warnings).toEqual([
    expect.stringMatching(/case 3 .*a picture of 1 x 1: the algorithm ended the process \(exit code 7\)$/),
  ]);
});

test('a call without end is a fault of its case; calls that are slow take the time of one step, and leave the rest out', async () => {
  // The limit of a step is also that of loading, where no other is given.
  const load = { loadTimeoutMs: 60_000 };
  const hung = await check('if black: time.sleep(60)', { timeoutMs: 1_000, ...load });
  expect(hung.summary.status).toBe('PASS');
  expect(hung.boundaryCases?.at(-1)).toMatchObject({
    ...{ number: 5, result: 'FAIL' },
    message: 'a black picture took longer than 1 s, the timeoutMs of the validator',
  });
  const slow = await check('time.sleep(0.4)', { timeoutMs: 1_500, ...load });
  expect(outcomes(slow)).toMatchObject({ 2: 'PASS', 11: 'SKIP', 15: 'SKIP' });
  expect(slow.boundaryCases?.find(({ number }) => number === 15)?.message).toMatch(
    process.platform === 'linux' ? /took 1\.5 s, the timeoutMs/ : /does not tell the open files/,
  );
});

test("by boundaryCases 'fail' the package fails its check and its install; by 'off' none is run", async () => {
  const body = 'if black: raise ValueError("dark")';
  const report = await check(body, { boundaryCases: 'fail' });
  expect(report.summary).toMatchObject({ status: 'FAIL', failed: 1 });
  expect(report.error).toMatchObject({ code: 'install_failed', details: { stage: 'boundary_cases' } });
  const off = await check(body, { boundaryCases: 'off' });
  expect(off.summary.status).toBe('PASS');
  expect(ofCheck(off)).toMatchObject({ result: 'SKIP', message: 'they are switched off' });
  expect(off.boundaryCases).toBeUndefined();
  const { runner } = await temporaryRunner({ validator: { boundaryCases: 'fail' } });
  await expect(runner.deployer.install(await packageOf(body))).rejects.toMatchObject({
    ...{ code: 'install_failed', details: { stage: 'boundary_cases' } },
    message: expect.stringContaining('a black picture raised ValueError: dark') as string,
  });
});
