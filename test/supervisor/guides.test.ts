import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Registry } from '../../src/index.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { patient } from '../support/patient.js';

const size = { width: 4, height: 2 };
const full = (value: number) => ({ data: new Uint8Array(4 * 2 * 3).fill(value), ...size });
const target = { name: 'sample', version: '1.0.0' };

async function openStore(worker: 'sdk' | 'bundled' = 'sdk') {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  await store.deploy({ generation: 'execute-only' });
  await store.registry.activate({ ...target, productIds: ['A01'] });
  return { store, registry: store.registry, supervisor: store.supervise({ worker, policy: patient() }) };
}

const debugOf = (data: object) => (data as { debug: { guide: number[]; guide_info: object[] } }).debug;

describe.each(['sdk', 'bundled'] as const)(
  'a call to an execute-only version under the %s worker',
  (worker) => {
    test('is refused without a guide picture, before any worker is asked, and its remedies are named', async () => {
      const { supervisor } = await openStore(worker);
      const call = supervisor.execute({ productId: 'A01', stepIndex: 1, image: full(1) });
      await expect(call).rejects.toMatchObject({
        code: 'invalid_params',
        details: { path: 'guideImage', name: 'sample' },
        message: /none is registered for A01, step 1.*setGuide.*'same'/s,
      });
      expect(supervisor.status()[0]?.latency.count ?? 0).toBe(0);
    });

    test('uses the registered guide and its places, where the request brings none', async () => {
      const { registry, supervisor } = await openStore(worker);
      const info = [{ label: 'screw', posList: [{ x: 0, y: 0, width: 2, height: 2 }] }];
      await registry.setGuide({ productId: 'A01', stepIndex: 1, image: full(50), info });
      const request = { pid: 'A01', stepIndex: 1, image: full(1) };
      const first = await supervisor.execute(request);
      expect(debugOf(first.data)).toMatchObject({ guide: [50, 50, 50], guide_info: info });
      expect(first.warnings).toEqual([]);
      const own = await supervisor.execute({ ...request, guideImage: full(60) });
      expect(debugOf(own.data)).toMatchObject({ guide: [60, 60, 60], guide_info: [] });
      const places = await supervisor.execute({ ...request, guideInfo: [] });
      expect(debugOf(places.data)).toMatchObject({ guide: [50, 50, 50], guide_info: [] });
      // Another process registers another one.
      await using other = await Registry.open(registry.layout.root);
      await other.setGuide({ productId: 'A01', stepIndex: 1, image: full(70) });
      const last = await supervisor.execute(request);
      expect(debugOf(last.data)).toMatchObject({ guide: [70, 70, 70], guide_info: [] });
      await registry.removeGuide({ productId: 'A01', stepIndex: 1 });
      await expect(supervisor.execute(request)).rejects.toMatchObject({ code: 'invalid_params' });
    });

    test("compares the picture with itself for guideImage 'same', and says so in the result and the audit log", async () => {
      const { registry, supervisor } = await openStore(worker);
      await registry.setGuide({ productId: 'A01', stepIndex: 1, image: full(50) });
      const request = { pid: 'A01', stepIndex: 1, image: full(3), guideImage: 'same' as const };
      const { data, warnings } = await supervisor.execute(request);
      expect(debugOf(data).guide).toEqual([3, 3, 3]);
      expect(warnings).toEqual([expect.stringMatching(/compared with itself/)]);
      await supervisor.execute(request);
      const log = await readFile(path.join(registry.layout.logs, 'package_activate.log'), 'utf8');
      const records = log
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { operation: string });
      expect(records.filter(({ operation }) => operation === 'compare with itself')).toMatchObject([
        { ...target, pids: ['A01'], step_index: 1, outcome: 'ok' },
      ]);
    });
  },
);

test('while the store cannot be reached a call is compared with the guide in memory, and one that is not there is the fault of the store', async () => {
  const { registry, supervisor } = await openStore();
  for (const stepIndex of [1, 2]) await registry.setGuide({ productId: 'A01', stepIndex, image: full(50) });
  const request = { productId: 'A01', stepIndex: 1, image: full(1) };
  await supervisor.execute(request);
  const { root } = registry.layout;
  await rename(root, `${root}-away`); // as a disk that is not mounted
  try {
    expect(debugOf((await supervisor.execute(request)).data)).toMatchObject({ guide: [50, 50, 50] });
    await expect(supervisor.execute({ ...request, stepIndex: 2 })).rejects.toMatchObject({
      code: 'store_failed',
      message: /guide picture of A01, step 2/,
    });
  } finally {
    await rename(`${root}-away`, root);
  }
  expect((await supervisor.execute({ ...request, stepIndex: 2 })).status).toBe('OK');
});

test('a call by version alone brings its guide itself, for no product id has one for it', async () => {
  const { registry, supervisor } = await openStore();
  await registry.setGuide({ productId: 'A01', stepIndex: 1, image: full(50) });
  const request = { target, stepIndex: 1, image: full(1) };
  await expect(supervisor.execute(request)).rejects.toThrow(/has no product id/);
  expect(debugOf((await supervisor.execute({ ...request, productId: 'A01' })).data).guide).toEqual([
    50, 50, 50,
  ]);
});

test("a version of the phased generation needs no guide, and takes 'same' for none", async () => {
  const store = await TemporaryStore.open();
  onTestFinished(() => store.close());
  await store.deploy({});
  const supervisor = store.supervise({ policy: patient() });
  for (const more of [{}, { guideImage: 'same' as const }]) {
    const result = await supervisor.execute({ target, stepIndex: 1, image: full(1), ...more });
    expect(result).toMatchObject({ status: 'OK', warnings: [] });
  }
});
