import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { candidate, detector } from '../support/candidate.js';
import { deployVersion, openSupervised } from '../support/deployed-version.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { shadow as beginShadow } from '../../src/recording/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

describe('a shadow', () => {
  test('gets a copy of the calls and the very image; the report tells where it does not agree', async () => {
    const { supervisor, inspect, frames } = await candidate();
    await using shadow = await beginShadow(supervisor, { name: 'sample', version: '2' });
    const events: unknown[] = [];
    supervisor.on('shadow', ({ version, productId: pid, comparison }) =>
      events.push([version, pid, comparison.agrees]),
    );
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
    expect(events.sort()).toEqual([
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
    const { supervisor, inspect } = await candidate({ source: slow });
    await inspect(1);
    await using shadow = await beginShadow(supervisor, { name: 'sample', version: '2', maxPending: 1 });
    for (let call = 0; call < 5; call++) await inspect(50);
    expect(await shadow.stop()).toMatchObject({ compared: 1, skipped: 4 });
  });

  test('that dies fails in the report alone', async () => {
    const dying = detector(200).replace('asked = user_params or {}', 'os._exit(3)');
    const { supervisor, inspect, frames } = await candidate({ source: dying });
    await using shadow = await beginShadow(supervisor, { name: 'sample', version: '2' });
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
    const { supervisor, inspect } = await candidate();
    await using shadow = await beginShadow(supervisor, { name: 'sample', version: '2', share: 0.25 });
    for (let call = 0; call < 8; call++) await inspect(50);
    expect(await shadow.stop()).toMatchObject({ compared: 2, skipped: 0 });
  });

  test.each([
    [0.5, 1, 4],
    [1, 2, 8],
  ])(
    'of a share of %d with %d workers has prepared each picture that it executes',
    async (share, workers, compared) => {
      const source = `import time
from procvision_algorithm_sdk import BaseAlgorithm

class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "sample", "version": "1.0.0", "supported_pids": ["A01"], "steps": []}
    def pre_execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        time.sleep(user_params["pre_ms"].get(self.version, 0) / 1000)
        session.set("ready", True)
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, pid, session, user_params, shared_mem_id, image_meta):
        if not session.get("ready"):
            return {"status": "ERROR", "message": "not prepared", "data": {}}
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": []}}
`;
      const { registry, supervisor } = await openSupervised({ worker: 'bundled' });
      for (const version of ['1', '2']) {
        const own = source.replace('class Algorithm(BaseAlgorithm):', `$&\n    version = "${version}"`);
        await deployVersion(registry, { version, source: own });
      }
      await registry.activate({ name: 'sample', version: '1', productIds: ['A01'] });
      await using trial = await beginShadow(supervisor, {
        name: 'sample',
        version: '2',
        share,
        workers,
        maxPending: 9,
      });
      for (let board = 0; board < 4; board++) {
        // The candidate still prepares itself when it is asked to execute.
        const request = {
          ...{ productId: 'A01', stepIndex: 1, session: { id: `board ${board}` } },
          ...{ image: { data: new Uint8Array(12), width: 2, height: 2 }, userParams: { pre_ms: { 2: 50 } } },
        };
        await supervisor.preExecute(request);
        await supervisor.execute(request);
      }
      expect(await trial.stop()).toMatchObject({ compared, agreed: compared, failed: 0 });
    },
  );

  test('of a version that cannot start is start_failed', async () => {
    const { supervisor } = await candidate({ source: 'raise RuntimeError("no")' });
    await expect(beginShadow(supervisor, { name: 'sample', version: '2' })).rejects.toMatchObject({
      code: 'start_failed',
    });
    expect(supervisor.status()).toEqual([]);
  });

  test('that answers nothing for the length of a hundred calls changes none of them: it holds four frames and no answer', async () => {
    const flag = path.join(await temporaryFolder(), 'go on');
    const blocked = steeredAlgorithm().replace(
      'asked = user_params or {}',
      `asked = dict(user_params or {}, wait_for=${JSON.stringify(flag)})`,
    );
    // The candidate has as long as a hundred calls take on a machine that is loaded.
    const policy = { executeTimeoutMs: 60_000 };
    const { supervisor, inspect, frames } = await candidate({ source: blocked, policy });
    await inspect(1);
    await using shadow = await beginShadow(supervisor, { name: 'sample', version: '2' });
    for (let call = 0; call < 100; call++) {
      const value = call % 2 ? 50 : 150;
      const { version, attempts, data } = await inspect(value, { echo: call });
      expect({ version, attempts }).toEqual({ version: '1', attempts: 1 });
      expect(data).toMatchObject({ result_status: value > 100 ? 'NG' : 'OK', debug: { echo: call } });
    }
    const { slots, idle } = await frames.usage();
    expect(slots - idle).toBe(4);
    await writeFile(flag, '');
    expect(await shadow.stop()).toMatchObject({ compared: 4, agreed: 2, skipped: 96, failed: 0 });
  });

  test('holds no frame of a pool that the calls need themselves', async () => {
    const flag = path.join(await temporaryFolder(), 'go on');
    const blocked = steeredAlgorithm().replace(
      'asked = user_params or {}',
      `asked = dict(user_params or {}, wait_for=${JSON.stringify(flag)})`,
    );
    // One frame of 2 x 2 and its header of 128 bytes.
    const { supervisor, inspect } = await candidate({ source: blocked, frames: { maxBytes: 150 } });
    await using shadow = await beginShadow(supervisor, { name: 'sample', version: '2' });
    for (let call = 0; call < 3; call++) expect(await inspect(50)).toMatchObject({ status: 'OK' });
    expect(shadow.report()).toMatchObject({ compared: 0, skipped: 3 });
    await writeFile(flag, '');
  });

  test('that begins while the supervisor closes is closed, and leaves no worker', async () => {
    const { supervisor } = await candidate();
    const beginning = beginShadow(supervisor, { name: 'sample', version: '2' });
    const ended = expect(beginning).rejects.toMatchObject({ code: 'closed' });
    await supervisor.close();
    await ended;
    expect(supervisor.status()).toEqual([]);
  });

  test.each([
    ['share', 0],
    ['share', 1.1],
    ['workers', 0],
    ['maxPending', 0.5],
    ['minIou', 2],
  ])('with %s = %s is invalid_params', async (name, value) => {
    const { supervisor } = await candidate();
    const shadow = beginShadow(supervisor, { name: 'sample', version: '2', [name]: value });
    await expect(shadow).rejects.toMatchObject({ code: 'invalid_params', details: { path: name } });
  });
});
