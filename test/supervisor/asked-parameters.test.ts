import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { record, replay, shadow } from '../../src/recording/index.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import type { StepParameter } from '../../src/package/types.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };
const least = (value: number): StepParameter => ({
  ...{ key: 'least', type: 'float', default: value },
  ...{ min: 0, max: 255 },
});

/** Versions of a package whose one step has these parameters; which of them got what, and the first serves `A01`. */
async function station(store: TemporaryStore, versions: Record<string, StepParameter[]>) {
  const got: Record<string, unknown[]> = {};
  for (const [version, params] of Object.entries(versions)) {
    const worker = new FakeWorker();
    got[version] = [];
    worker.answer('execute', ({ data }) => {
      const above = Number(data.user_params?.least ?? 0) > 50;
      got[version]?.push(data.user_params);
      return { data: above ? { result_status: 'NG', ng_reason: 'dark' } : {} };
    });
    const entry = await store.deploy({ version, worker });
    await store.registry.register({ ...entry, steps: [{ index: 1, params }] });
  }
  const [first = ''] = Object.keys(versions);
  await store.registry.activate({ name: 'sample', version: first, productIds: ['A01'] });
  const supervisor = store.supervise();
  const inspect = (userParams?: Record<string, unknown>) =>
    supervisor.execute({ productId: 'A01', stepIndex: 1, image, userParams });
  return { got, supervisor, inspect, registry: store.registry };
}

const MODE: StepParameter = { key: 'mode', type: 'string', default: 'fast' };
const OTHER: StepParameter = { key: 'other', type: 'float', default: 1 };

test('a shadow gets its own defaults, and not those of the version that serves: its verdict is that of its day as the serving one', async () => {
  await using store = await TemporaryStore.open();
  const { got, supervisor, inspect } = await station(store, { 1: [least(40)], 2: [least(60), MODE] });
  const trial = await shadow(supervisor, { name: 'sample', version: '2' });
  await inspect();
  expect(await trial.stop()).toMatchObject({ compared: 1, agreed: 0, verdicts: { 'OK -> NG': 1 } });
  expect(got).toEqual({ 1: [{ least: 40 }], 2: [{ least: 60, mode: 'fast' }] });
});

test('a shadow gets what the call was asked with and what is kept, as far as its step has it; what it refuses fails in the report', async () => {
  await using store = await TemporaryStore.open();
  const { got, supervisor, inspect, registry } = await station(store, {
    1: [least(40), OTHER],
    2: [least(60), MODE],
  });
  await registry.setParams({ productId: 'A01', params: { least: 55, other: 3 } });
  const trial = await shadow(supervisor, { name: 'sample', version: '2' });
  await inspect();
  await expect.poll(() => trial.report().compared).toBe(1);
  await inspect({ other: 4 });
  expect(await trial.stop()).toMatchObject({
    ...{ compared: 1, failed: 1 },
    disagreements: [{ failure: { code: 'invalid_params' } }],
  });
  expect(got[2]).toEqual([{ least: 55, mode: 'fast' }]);
});

test('a recording keeps what was asked and what was kept; a replay fills in the defaults of the version that answers', async () => {
  await using store = await TemporaryStore.open();
  const { got, supervisor, inspect, registry } = await station(store, {
    ...{ 1: [least(40), MODE], 2: [least(60)], 3: [OTHER] },
  });
  const directory = path.join(store.folder, 'recording');
  const recording = await record(supervisor, { directory });
  await inspect();
  await registry.setParams({ productId: 'A01', params: { least: 45 } });
  const userParams = { mode: 'slow' };
  const calling = inspect(userParams);
  await calling;
  userParams.mode = 'changed by the caller afterwards';
  await recording.stop();
  const file = path.join(directory, 'calls/00000002.json');
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
    request: { user_params: { mode: 'slow' }, kept_params: { least: 45 } },
  });
  await registry.setParams({ productId: 'A01', params: {} });
  expect(await replay(supervisor, { directory, name: 'sample', version: '1' })).toMatchObject({ agreed: 2 });
  expect(got[1]?.slice(2)).toEqual(got[1]?.slice(0, 2));
  // `mode` was asked for, which version 2 does not have; what was kept or a default of version 1 is none of its matter.
  expect(await replay(supervisor, { directory, name: 'sample', version: '2' })).toMatchObject({
    ...{ compared: 1, failed: 1, verdicts: { 'OK -> NG': 1 } },
    disagreements: [{ id: '1' }, { id: '2', failure: { code: 'invalid_params' } }],
  });
  expect(got[2]).toEqual([{ least: 60 }]);
  await replay(supervisor, { directory, name: 'sample', version: '3' });
  expect(got[3]).toEqual([{ other: 1 }]);
});

test.each([
  ['that it declares', [least(40)]],
  ['that it does not declare', []],
])(
  'a parameter that is undefined is left out, and what is kept for the id holds: of a version, %s',
  async (_, params) => {
    await using store = await TemporaryStore.open();
    const { got, inspect, registry } = await station(store, { 1: params });
    await registry.setParams({ productId: 'A01', params: { least: 55 } });
    expect((await inspect({ least: undefined })).data.result_status).toBe('NG');
    expect(got[1]).toEqual([{ least: 55 }]);
  },
);
