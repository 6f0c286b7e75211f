import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Registry } from '../../src/registry/registry.js';
import type { RegistryEntry } from '../../src/registry/types.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function openWith(versions: string[]): Promise<Registry> {
  const registry = await Registry.open(await temporaryFolder(), { durability: 'none' });
  onTestFinished(() => registry.close());
  for (const version of versions) {
    const entry: RegistryEntry = {
      name: 'pcb',
      version,
      supported_pids: ['A', 'B'],
      state: 'deployed',
      created_at: new Date().toISOString(),
      entry_point: 'main:Algorithm',
      generation: 'phased',
    };
    await registry.register(entry);
  }
  return registry;
}

test('switchBack takes all ids back in one commit, bars the version with the reason, and says so in the audit log', async () => {
  const registry = await openWith(['1', '2']);
  await registry.activate({ name: 'pcb', version: '1', productIds: ['A', 'B'] });
  await registry.switch({ name: 'pcb', version: '2', productIds: ['A', 'B'] });
  const mappings = await registry.switchBack({
    productIds: ['A', 'B'],
    from: { name: 'pcb', version: '2' },
    reason: '3 crashes',
    operator: 'probation',
  });
  expect(mappings).toEqual(
    ['A', 'B'].map((pid): unknown =>
      expect.objectContaining({
        pid,
        version: '1',
        barred: [{ name: 'pcb', version: '2', reason: '3 crashes', at: expect.any(String) as string }],
      }),
    ),
  );
  const log = await readFile(path.join(registry.layout.logs, 'package_activate.log'), 'utf8');
  const last = JSON.parse(log.trim().split('\n').at(-1) ?? '') as unknown;
  expect(last).toMatchObject({ operation: 'switch back', version: '2', reason: '3 crashes', outcome: 'ok' });
});

test('an id that has moved on in the meantime is left where it is', async () => {
  const registry = await openWith(['1', '2', '3']);
  await registry.activate({ name: 'pcb', version: '1', productIds: ['A', 'B'] });
  await registry.switch({ name: 'pcb', version: '2', productIds: ['A', 'B'] });
  await registry.switch({ name: 'pcb', version: '3', productIds: ['B'] });
  const from = { name: 'pcb', version: '2' };
  expect(await registry.switchBack({ productIds: ['A', 'B'], from, reason: 'slow' })).toHaveLength(1);
  const active = await registry.active();
  expect([active.A?.version, active.B?.version]).toEqual(['1', '3']);
});

test('a barred version is refused with version_barred and the reason, and taken with force, which lifts the bar', async () => {
  const registry = await openWith(['1', '2']);
  await registry.activate({ name: 'pcb', version: '1', productIds: ['A'] });
  const from = { name: 'pcb', version: '2' };
  const two = { ...from, productIds: ['A'] };
  await registry.switch(two);
  await registry.switchBack({ productIds: ['A'], from, reason: 'slow' });
  const barred = {
    ...{ code: 'version_barred', message: expect.stringContaining('slow') as string },
    details: { name: 'pcb', version: '2', productIds: ['A'], reason: 'slow' },
  };
  await expect(registry.switch(two)).rejects.toMatchObject(barred);
  await expect(registry.activate(two)).rejects.toMatchObject(barred);
  expect(await registry.switch({ ...two, force: true })).toMatchObject([{ version: '2' }]);
  expect((await registry.active()).A?.barred).toBeUndefined();
});

test('a bar on one version keeps no other out, and force lifts the bar on its own version alone', async () => {
  const registry = await openWith(['1', '2', '3']);
  await registry.activate({ name: 'pcb', version: '1', productIds: ['A'] });
  for (const version of ['2', '3']) {
    const from = { name: 'pcb', version };
    await registry.switch({ ...from, productIds: ['A'] });
    await registry.switchBack({ productIds: ['A'], from, reason: `${version} is slow` });
  }
  const bars = async () => (await registry.active()).A?.barred?.map(({ version }) => version);
  expect(await bars()).toEqual(['2', '3']);
  await registry.switch({ name: 'pcb', version: '2', productIds: ['A'], force: true });
  expect(await bars()).toEqual(['3']);
  await expect(registry.switch({ name: 'pcb', version: '3', productIds: ['A'] })).rejects.toMatchObject({
    code: 'version_barred',
  });
});

test('a product id without an earlier version stays, while another goes back; alone it is not_found', async () => {
  const registry = await openWith(['1', '2']);
  await registry.activate({ name: 'pcb', version: '1', productIds: ['A'] });
  await registry.switch({ name: 'pcb', version: '2', productIds: ['A'] });
  await registry.activate({ name: 'pcb', version: '2', productIds: ['B'] });
  const from = { name: 'pcb', version: '2' };
  expect(await registry.switchBack({ productIds: ['A', 'B'], from, reason: 'slow' })).toMatchObject([
    { pid: 'A', version: '1' },
  ]);
  expect((await registry.active()).B).toMatchObject({ version: '2' });
  await expect(registry.switchBack({ productIds: ['B'], from, reason: 'slow' })).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(await registry.switchBack({ productIds: ['A'], from, reason: 'slow' })).toEqual([]);
});
