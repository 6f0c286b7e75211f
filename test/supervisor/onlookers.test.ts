import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FramePool } from '../../src/frames/frame-pool.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Finds a defect where the first pixel is above 100; the other one is above 200. */
function detector(above: number): string {
  return steeredAlgorithm().replace(
    'data.update(asked.get("data") or {})',
    `if image[0] > ${above}:
            data.update(result_status="NG", ng_reason="bright",
                        defect_rects=[{"x": 0, "y": 0, "width": 2, "height": 1}])
        data.update(asked.get("data") or {})`,
  );
}

async function open(candidate = detector(200)) {
  const frames = new FramePool();
  onTestFinished(() => frames.close());
  const { registry, supervisor } = await openSupervised({ frames });
  await deployVersion(registry, { version: '1', source: detector(100) });
  await deployVersion(registry, { version: '2', source: candidate });
  await registry.activate({ name: 'sample', version: '1', pids: ['A01'] });
  const inspect = (value: number, userParams: Record<string, unknown> = {}) =>
    supervisor.execute({
      pid: 'A01',
      stepIndex: 1,
      image: { data: new Uint8Array(12).fill(value), width: 2, height: 2 },
      userParams,
    });
  return { registry, supervisor, frames, inspect };
}

describe('a shadow', () => {
  test('gets a copy of the calls and the very image; the report tells where it does not agree', async () => {
    const { supervisor, inspect, frames } = await open();
    await using shadow = await supervisor.shadow({ name: 'sample', version: '2' });
    const told: unknown[] = [];
    supervisor.on('shadow', ({ version, pid, comparison }) => told.push([version, pid, comparison.agrees]));
    for (const value of [50, 150, 250]) {
      expect((await inspect(value)).version).toBe('1');
      await frames.usage();
    }
    const report = await shadow.stop();
    expect(report).toMatchObject({
      compared: 3,
      agreed: 2,
      failed: 0,
      skipped: 0,
      verdicts: { 'OK -> OK': 1, 'NG -> OK': 1, 'NG -> NG': 1 },
      boxes: { matched: 1, missing: 1, extra: 0, meanIou: 1 },
    });
    expect(told.sort()).toEqual([
      ['2', 'A01', false],
      ['2', 'A01', true],
      ['2', 'A01', true],
    ]);
    expect(supervisor.status().map(({ version }) => version)).toEqual(['1']);
    const { slots, idle } = await frames.usage();
    expect(idle).toBe(slots);
  });

  test('that is slow delays no answer: calls it has no time for are left out', async () => {
    const slow = detector(200).replace(
      'asked = user_params or {}',
      'asked = user_params or {}; time.sleep(4)',
    );
    const { supervisor, inspect } = await open(slow);
    await inspect(1);
    await using shadow = await supervisor.shadow({ name: 'sample', version: '2', maxPending: 1 });
    for (let call = 0; call < 5; call++) await inspect(50);
    expect(await shadow.stop()).toMatchObject({ compared: 1, skipped: 4 });
  });

  test('that dies fails in the report alone', async () => {
    const dying = detector(200).replace('asked = user_params or {}', 'os._exit(3)');
    const { supervisor, inspect, frames } = await open(dying);
    await using shadow = await supervisor.shadow({ name: 'sample', version: '2' });
    expect(await inspect(50)).toMatchObject({ status: 'OK', version: '1', attempts: 1 });
    expect(await shadow.stop()).toMatchObject({
      compared: 0,
      failed: 1,
      disagreements: [{ failure: { code: 'worker_exited' } }],
    });
    const { slots, idle } = await frames.usage();
    expect(idle).toBe(slots);
  });

  test('of a quarter of the calls gets every fourth', async () => {
    const { supervisor, inspect } = await open();
    await using shadow = await supervisor.shadow({ name: 'sample', version: '2', share: 0.25 });
    for (let call = 0; call < 8; call++) await inspect(50);
    expect(await shadow.stop()).toMatchObject({ compared: 2, skipped: 0 });
  });

  test('of a version that cannot start is start_failed', async () => {
    const { supervisor } = await open('raise RuntimeError("no")');
    await expect(supervisor.shadow({ name: 'sample', version: '2' })).rejects.toMatchObject({
      code: 'start_failed',
    });
    expect(supervisor.status()).toEqual([]);
  });
});

describe('a recording', () => {
  test('holds request, pixels, answer and timing of each call, and replays on the same version with full agreement', async () => {
    const { supervisor, inspect } = await open();
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await supervisor.record({ directory });
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
    const same = await supervisor.replay({
      directory,
      name: 'sample',
      version: '1',
      onProgress: (done) => steps.push(done),
    });
    expect(same).toMatchObject({ compared: 3, agreed: 3, verdicts: { 'OK -> OK': 1, 'NG -> NG': 2 } });
    expect(steps).toEqual([1, 2, 3]);
    const other = await supervisor.replay({ directory, name: 'sample', version: '2' });
    expect(other).toMatchObject({ compared: 3, agreed: 2, disagreements: [{ id: '2' }] });
  });

  test('stays within its bytes by dropping the oldest calls', async () => {
    const { supervisor, inspect } = await open();
    const directory = path.join(await temporaryFolder(), 'recording');
    const recording = await supervisor.record({ directory, maxBytes: 4_000, maxPending: 100 });
    for (let value = 1; value <= 12; value++) await inspect(value);
    const { calls, bytes, dropped } = await recording.stop();
    expect(calls + dropped).toBe(12);
    expect(dropped).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(4_000);
    const files = [
      ...(await readdir(path.join(directory, 'calls'))),
      ...(await readdir(path.join(directory, 'images'))),
    ];
    expect(files).toHaveLength(calls * 2);
    const sizes = await Promise.all(
      ['calls', 'images'].map(async (folder) => {
        const names = await readdir(path.join(directory, folder));
        return Promise.all(names.map(async (name) => (await stat(path.join(directory, folder, name))).size));
      }),
    );
    expect(sizes.flat().reduce((sum, size) => sum + size, 0)).toBe(bytes);
    expect(files).toContain('00000012.json');
  });

  test('is continued where it ended', async () => {
    const { supervisor, inspect } = await open();
    const directory = await temporaryFolder();
    for (let round = 0; round < 2; round++) {
      await using recording = await supervisor.record({ directory });
      await inspect(50);
      await recording.stop();
    }
    expect((await readdir(path.join(directory, 'calls'))).sort()).toEqual(['00000001.json', '00000002.json']);
  });

  test('on a disk that refuses leaves calls out, and the calls themselves are answered', async () => {
    const { supervisor, inspect } = await open();
    const directory = await temporaryFolder();
    const recording = await supervisor.record({ directory });
    await rm(path.join(directory, 'images'), { recursive: true });
    expect(await inspect(50)).toMatchObject({ status: 'OK' });
    expect(await recording.stop()).toMatchObject({ calls: 0, skipped: 1, lastError: { code: 'ENOENT' } });
  });

  test('keeps a call that failed, with its error; a replay leaves it out', async () => {
    const { supervisor, inspect } = await open();
    const directory = await temporaryFolder();
    const recording = await supervisor.record({ directory });
    await expect(inspect(50, { data: { result_status: 'maybe' } })).rejects.toMatchObject({
      code: 'contract_violation',
    });
    await recording.stop();
    expect(await supervisor.replay({ directory, name: 'sample', version: '2' })).toMatchObject({
      compared: 0,
      skipped: 1,
    });
  });
});

describe('a replay refuses', () => {
  test('a folder that is no recording', async () => {
    const { supervisor } = await open();
    const replay = supervisor.replay({ directory: await temporaryFolder(), name: 'sample', version: '1' });
    await expect(replay).rejects.toMatchObject({ code: 'invalid_params' });
  });

  test('an image outside the folder of the recording', async () => {
    const { supervisor } = await open();
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
      result: { status: 'OK', data: {} },
    };
    await writeFile(path.join(directory, 'calls', '00000001.json'), JSON.stringify(call));
    expect(await supervisor.replay({ directory, name: 'sample', version: '1' })).toMatchObject({
      compared: 0,
      failed: 1,
      disagreements: [{ failure: { code: 'invalid_params' } }],
    });
  });
});
