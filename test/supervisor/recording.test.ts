import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { record, replay, type RecordingStatus } from '../../src/recording/index.js';
import { candidate } from '../support/candidate.js';
import { startScript } from '../support/child-script.js';
import { deployVersion } from '../support/deployed-version.js';
import { IS_WINE } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Longest time until a host of its own has recorded some calls. */
const A_HOST_MS = IS_WINE ? 120_000 : 30_000;

/** Sizes of the files of a recording, by path with `/`; what disappears meanwhile is left out. */
async function filesBelow(directory: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const name of await readdir(directory, { recursive: true })) {
    if (name.startsWith('recording.lock')) continue;
    const found = await stat(path.join(directory, name)).catch(() => undefined);
    if (found?.isFile()) sizes.set(name.replaceAll(path.sep, '/'), found.size);
  }
  return sizes;
}

function sum(files: Map<string, number>): number {
  return [...files.values()].reduce((total, size) => total + size, 0);
}

/** Calls that reached the disk, those that went again included. */
function handled({ calls, dropped }: RecordingStatus): number {
  return calls + dropped;
}

describe('a recording', () => {
  test('holds request, pixels, answer and timing of each call, and replays on the same version with full agreement', async () => {
    const { supervisor, inspect } = await candidate();
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    for (const value of [50, 150, 250]) await inspect(value, { echo: value });
    expect(await recording.stop()).toMatchObject({ calls: 3, dropped: 0, skipped: 0, lastError: undefined });
    const call = JSON.parse(await readFile(path.join(directory, 'calls/00000002.json'), 'utf8')) as object;
    expect(call).toMatchObject({
      number: 2,
      phase: 'execute',
      pid: 'A01',
      version: '1',
      request: { step_index: 1, user_params: { echo: 150 } },
      image: { file: 'images/00000002.npy', width: 2, height: 2 },
      result: { status: 'OK', data: { result_status: 'NG', debug: { first: [150, 150, 150] } } },
    });
    const pixels = await readFile(path.join(directory, 'images/00000002.npy'));
    expect(pixels.subarray(-12)).toEqual(Buffer.alloc(12, 150));
    const steps: number[] = [];
    const same = await replay(supervisor, {
      directory,
      name: 'sample',
      version: '1',
      onProgress: (done) => steps.push(done),
    });
    expect(same).toMatchObject({ compared: 3, agreed: 3, verdicts: { 'OK -> OK': 1, 'NG -> NG': 2 } });
    expect(steps).toEqual([1, 2, 3]);
    const other = await replay(supervisor, { directory, name: 'sample', version: '2' });
    expect(other).toMatchObject({ compared: 3, agreed: 2, disagreements: [{ id: '2' }] });
  });

  test('stays within its bytes by dropping the oldest calls', async () => {
    const { supervisor, inspect } = await candidate();
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory, maxBytes: 4_000, maxPending: 100 });
    for (let value = 1; value <= 12; value++) {
      await inspect(value);
      // Calls on their way to a slow disk hold their room, and so small a recording has it for four of them.
      await vi.waitFor(() => expect(handled(recording.status())).toBe(value), { timeout: 20_000 });
    }
    const { calls, bytes, dropped } = await recording.stop();
    expect(calls + dropped).toBe(12);
    expect(dropped).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(4_000);
    const files = await filesBelow(directory);
    expect(files.size).toBe(calls * 2 + 1);
    expect(sum(files)).toBe(bytes);
    expect([...files.keys()]).toContain('calls/00000012.json');
  });

  test('is continued where it ended', async () => {
    const { supervisor, inspect } = await candidate();
    const directory = await temporaryFolder();
    for (let round = 0; round < 2; round++) {
      await using recording = await record(supervisor, { directory });
      await inspect(50);
      await recording.stop();
    }
    expect((await readdir(path.join(directory, 'calls'))).sort()).toEqual(['00000001.json', '00000002.json']);
  });

  test('on a disk that refuses leaves calls out, and the calls themselves are answered', async () => {
    const { supervisor, inspect } = await candidate();
    const directory = await temporaryFolder();
    const recording = await record(supervisor, { directory });
    await rm(path.join(directory, 'images'), { recursive: true });
    expect(await inspect(50)).toMatchObject({ status: 'OK' });
    expect(await recording.stop()).toMatchObject({ calls: 0, skipped: 1, lastError: { code: 'ENOENT' } });
  });

  test('keeps a call that failed, with its error; a replay leaves it out', async () => {
    const { supervisor, inspect } = await candidate();
    const directory = await temporaryFolder();
    const recording = await record(supervisor, { directory });
    await expect(inspect(50, { data: { result_status: 'maybe' } })).rejects.toMatchObject({
      code: 'contract_violation',
    });
    await recording.stop();
    expect(await replay(supervisor, { directory, name: 'sample', version: '2' })).toMatchObject({
      compared: 0,
      skipped: 1,
    });
  });

  test('takes at no moment more than its bytes', async () => {
    const { supervisor, inspect } = await candidate({ policy: { workers: 2 } });
    const directory = path.join(await temporaryFolder(), 'recording');
    await using recording = await record(supervisor, { directory, maxBytes: 6_000 });
    const state = { isOver: false, most: 0, looks: 0 };
    const looking = (async () => {
      while (!state.isOver) {
        state.most = Math.max(state.most, sum(await filesBelow(directory)));
        state.looks++;
      }
    })();
    const caller = async () => {
      for (let value = 1; value <= 20; value++) await inspect(value);
    };
    await Promise.all([caller(), caller(), caller()]);
    const { dropped } = await recording.stop();
    state.isOver = true;
    await looking;
    expect(dropped).toBeGreaterThan(0);
    expect(state.looks).toBeGreaterThan(0);
    expect(state.most).toBeLessThanOrEqual(6_000);
  });

  test('too small for one call leaves it out and says so', async () => {
    const { supervisor, inspect } = await candidate();
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory, maxBytes: 500 });
    await inspect(1);
    const message = expect.stringContaining('raise maxBytes') as string;
    expect(await recording.stop()).toMatchObject({ calls: 0, skipped: 1, lastError: { message } });
    expect([...(await filesBelow(directory)).keys()]).toEqual(['recording.json']);
  });

  test('of calls that all wait for their answer leaves none out: they do not wait for the disk', async () => {
    const { supervisor, inspect } = await candidate({ policy: { workers: 3 } });
    const folder = await temporaryFolder();
    const directory = path.join(folder, 'recording');
    const flag = path.join(folder, 'go on');
    await supervisor.start('sample', '1');
    const recording = await record(supervisor, { directory, maxPending: 1 });
    const calls: Promise<unknown>[] = [];
    for (let call = 1; call <= 3; call++) {
      calls.push(inspect(call, { wait_for: flag }));
      await vi.waitFor(async () => {
        expect(await readdir(path.join(directory, 'images'))).toHaveLength(call);
      }, 15_000);
      await vi.waitFor(() => {
        expect(supervisor.status()[0]?.inFlight).toBe(call);
      }, 15_000);
    }
    await writeFile(flag, '');
    await Promise.all(calls);
    expect(await recording.stop()).toMatchObject({ calls: 3, skipped: 0 });
  });

  test('keeps the pixels of a PNG and of its guide image, and replays them', async () => {
    const { registry, supervisor } = await candidate();
    const algorithm = `from procvision_algorithm_sdk import BaseAlgorithm


class Algorithm(BaseAlgorithm):
    def execute(self, step_index, step_desc, cur_image, guide_image, guide_info):
        return {"status": "OK", "message": step_desc, "data": {"result_status": "OK"}}
`;
    for (const version of ['1', '2']) {
      const source = { name: 'coded', version, generation: 'execute-only' as const, source: algorithm };
      await deployVersion(registry, source);
    }
    await registry.activate({ name: 'coded', version: '1', productIds: ['C'] });
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    const png = PNG.sync.write(new PNG({ width: 4, height: 2, fill: true }), { colorType: 2 });
    const coded = { encoded: png, width: 4, height: 2 };
    const guide = { data: new Uint8Array(8).fill(9), width: 4, height: 2, channels: 1 as const };
    const guideInfo = [{ label: 'screw', posList: [{ x: 0, y: 0, width: 2, height: 2 }] }];
    const about = { pid: 'C', stepIndex: 3, stepDesc: 'tighten', guideInfo };
    const result = await supervisor.execute({ ...about, image: coded, guideImage: guide });
    await recording.stop();
    const call = JSON.parse(await readFile(path.join(directory, 'calls/00000001.json'), 'utf8')) as object;
    expect(call).toMatchObject({
      request: { step_index: 3, step_desc: 'tighten', guide_info: guideInfo },
      image: { file: 'images/00000001.npy', width: 4, height: 2 },
      guide_image: { file: 'images/00000001-guide.npy', width: 4, height: 2 },
      result: { request_id: result.requestId, timing: { total_ms: result.timing.totalMs } },
    });
    const decoded = await readFile(path.join(directory, 'images/00000001.npy'));
    expect(decoded.subarray(-24)).toEqual(Buffer.alloc(24, 255)); // pngjs puts what is transparent on white
    const pixels = await readFile(path.join(directory, 'images/00000001-guide.npy'));
    expect(pixels.subarray(-8)).toEqual(Buffer.alloc(8, 9));
    const report = await replay(supervisor, { directory, name: 'coded', version: '2' });
    expect(report).toMatchObject({ compared: 1, agreed: 1, failed: 0 });
  });

  test('is refused to a second recorder while there is one, and open to it afterwards', async () => {
    const { supervisor } = await candidate();
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    await expect(record(supervisor, { directory })).rejects.toMatchObject({ code: 'lock_timeout' });
    await recording.stop();
    await using again = await record(supervisor, { directory });
    expect(again.status()).toMatchObject({ calls: 0 });
  });

  test('to a folder with something else in it is invalid_params, and nothing is put there', async () => {
    const { supervisor } = await candidate();
    const directory = await temporaryFolder();
    await writeFile(path.join(directory, 'holiday.jpg'), 'sea');
    await expect(record(supervisor, { directory })).rejects.toMatchObject({ code: 'invalid_params' });
    expect(await readdir(directory)).toEqual(['holiday.jpg']);
  });

  test('of a host that was killed can be replayed and continued, and what was cut off is put away', async () => {
    const { registry, supervisor, inspect } = await candidate();
    const directory = path.join(await temporaryFolder(), 'recording');
    const host = await startScript('recording-host.ts', [registry.layout.root, directory]);
    onTestFinished(() => void host.process.kill('SIGKILL'));
    await vi.waitFor(async () => {
      const names = await readdir(path.join(directory, 'calls'));
      expect(names.filter((name) => /^\d+\.json$/.test(name)).length).toBeGreaterThan(20);
    }, A_HOST_MS);
    host.process.kill('SIGKILL');
    expect(await host.end).toMatchObject({ signal: 'SIGKILL' });
    // As the moment of the kill may have left them.
    await writeFile(path.join(directory, 'images', '99999999.npy'), 'half an im');
    await writeFile(
      path.join(directory, 'calls', '.00000007.json.01234567-89ab-4cde-8f01-23456789abcd.tmp'),
      '{',
    );
    const report = await replay(supervisor, { directory, name: 'sample', version: '1' });
    expect(report.compared).toBeGreaterThan(20);
    expect(report).toMatchObject({ agreement: 1, failed: 0, skipped: 0 });
    const recording = await record(supervisor, { directory });
    const before = recording.status().calls;
    expect(before).toBe(report.compared);
    await inspect(1);
    expect(await recording.stop()).toMatchObject({ calls: before + 1, lastError: undefined });
    const files = await filesBelow(directory);
    expect(files.size).toBe((before + 1) * 2 + 1);
    expect(sum(files)).toBe(recording.status().bytes);
  });

  test('that is aborted before it begins makes no folder', async () => {
    const { supervisor } = await candidate();
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = record(supervisor, { directory, signal: AbortSignal.abort() });
    await expect(recording).rejects.toMatchObject({ code: 'aborted' });
    await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a replay', () => {
  test('ends the version that it started, also where calls may not start one', async () => {
    const { supervisor, inspect } = await candidate({ policy: { lazyStart: false } });
    await supervisor.start('sample', '1');
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    await inspect(50);
    await recording.stop();
    const report = await replay(supervisor, { directory, name: 'sample', version: '2' });
    expect(report).toMatchObject({ compared: 1, failed: 0 });
    expect(supervisor.status().map(({ version }) => version)).toEqual(['1']);
  });

  test('leaves out calls whose files are damaged, and names them', async () => {
    const { supervisor, inspect } = await candidate();
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    for (const value of [1, 2, 3, 4]) await inspect(value);
    await recording.stop();
    await truncate(path.join(directory, 'calls/00000001.json'), 100);
    await writeFile(path.join(directory, 'calls/00000002.json'), '{}');
    await truncate(path.join(directory, 'images/00000003.npy'), 130);
    const report = await replay(supervisor, { directory, name: 'sample', version: '1' });
    expect(report).toMatchObject({ compared: 1, agreed: 1, skipped: 3, failed: 0 });
    expect(report.disagreements.map(({ id, failure }) => [id, failure?.code])).toEqual([
      ['1', 'invalid_params'],
      ['2', 'invalid_params'],
      ['3', 'invalid_params'],
    ]);
  });

  test('leaves out calls of a phase that the version does not have', async () => {
    const { registry, supervisor } = await candidate();
    await deployVersion(registry, { name: 'bare', version: '9', generation: 'execute-only' });
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    const image = { data: new Uint8Array(12), width: 2, height: 2 };
    await supervisor.preExecute({ productId: 'A01', stepIndex: 1, image });
    await recording.stop();
    const report = await replay(supervisor, { directory, name: 'bare', version: '9' });
    expect(report).toMatchObject({ compared: 0, skipped: 1, failed: 0 });
  });

  test('of a call without a guide, at a version that compares, takes the registered guide or none, and never the picture itself', async () => {
    const { registry, supervisor, inspect } = await candidate();
    const target = { name: 'comparing', version: '9' };
    await deployVersion(registry, { ...target, generation: 'execute-only' });
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    await inspect(50);
    const image = { data: new Uint8Array(12).fill(90), width: 2, height: 2 };
    await supervisor.execute({ productId: 'A02', target, stepIndex: 1, image, guideImage: 'same' });
    await recording.stop();
    const guides: unknown[] = [];
    supervisor.on('result', ({ result }) => guides.push((result.data.debug as { guide?: unknown }).guide));
    const refused = await replay(supervisor, { directory, ...target });
    expect(refused).toMatchObject({ compared: 1, failed: 1 });
    expect(refused.disagreements).toMatchObject([{ id: '1', failure: { code: 'invalid_params' } }]);
    await registry.setGuide({
      productId: 'A01',
      stepIndex: 1,
      image: { ...image, data: new Uint8Array(12) },
    });
    expect(await replay(supervisor, { directory, ...target })).toMatchObject({ compared: 2, failed: 0 });
    expect(guides).toEqual([
      [90, 90, 90],
      [0, 0, 0],
      [90, 90, 90],
    ]);
  });

  test('at a version that cannot start is start_failed', async () => {
    const { supervisor, inspect } = await candidate({ source: 'raise RuntimeError("no")' });
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await record(supervisor, { directory });
    await inspect(50);
    await recording.stop();
    const replaying = replay(supervisor, { directory, name: 'sample', version: '2' });
    await expect(replaying).rejects.toMatchObject({ code: 'start_failed' });
  });
});

describe('a replay refuses', () => {
  test('a folder that is no recording', async () => {
    const { supervisor } = await candidate();
    const replaying = replay(supervisor, {
      directory: await temporaryFolder(),
      name: 'sample',
      version: '1',
    });
    await expect(replaying).rejects.toMatchObject({ code: 'invalid_params' });
  });

  test('an image outside the folder of the recording', async () => {
    const { supervisor } = await candidate();
    const directory = await temporaryFolder();
    await mkdir(path.join(directory, 'calls'));
    await writeFile(path.join(directory, 'recording.json'), '{"format":"procvision-recording","version":1}');
    const image = {
      file: '../../etc/passwd',
      width: 1,
      height: 1,
      camera_id: 'c',
      timestamp_ms: 0,
      color_space: 'RGB',
    };
    const call = {
      number: 1,
      phase: 'execute',
      request: { step_index: 1 },
      image,
      result: { status: 'OK', data: {}, timing: { call_ms: 1 } },
    };
    await writeFile(path.join(directory, 'calls', '00000001.json'), JSON.stringify(call));
    expect(await replay(supervisor, { directory, name: 'sample', version: '1' })).toMatchObject({
      compared: 0,
      failed: 0,
      skipped: 1,
      disagreements: [
        { failure: { code: 'invalid_params', message: expect.stringContaining('outside') as string } },
      ],
    });
  });
});
