import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { activationLog } from '../../src/registry/records.js';
import type { Registry } from '../../src/registry/registry.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { mappedTo, threeVersions, to } from '../support/three-versions.js';

/** Version 1 serves B; A has come from 1 to 2, which both run. */
async function returning() {
  const station = await threeVersions();
  await station.supervisor.start('sample', '1');
  await station.supervisor.switch(to('2', ['A']));
  await station.registry.settled();
  return station;
}

const back = { productId: 'A', operator: 'anna' };
const copyOf = async ({ layout }: Registry) =>
  (JSON.parse(await readFile(layout.active('A'), 'utf8')) as { version: string }).version;
const operationsIn = async ({ layout }: Registry) => {
  const lines = (await readFile(activationLog(layout), 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as { operation: string; outcome: string; pids: string[] });
};

test('a rollback resolves at its commit; the copy for other readers and the audit log follow before close() ends', async () => {
  const { supervisor, registry, ask } = await returning();
  {
    using watch = watchFileSteps(registry.layout.root);
    await supervisor.rollback(back);
    const before = watch.steps.map((step) => step.path ?? '');
    expect(before).not.toContain(activationLog(registry.layout));
    expect(before).not.toContain(registry.layout.active('A'));
    expect((await ask()).version).toBe('1');
  }
  expect(await mappedTo(registry)).toEqual(['1', '1']);
  await supervisor.close();
  expect(await copyOf(registry)).toBe('1');
  expect((await operationsIn(registry)).at(-1)).toMatchObject({
    operation: 'rollback',
    outcome: 'ok',
    pids: ['A'],
  });
});

test('close() of the registry alone waits for what follows a commit', async () => {
  const { supervisor, registry } = await returning();
  await supervisor.rollback(back);
  await registry.close();
  // At once: a look that takes time itself would find what is written late.
  expect(readFileSync(activationLog(registry.layout), 'utf8')).toContain('"operation":"rollback"');
  expect(await copyOf(registry)).toBe('1');
});

test('orders one after the other each leave their line in the audit log, in their order', async () => {
  const { supervisor, registry } = await returning();
  const orders = 6;
  for (let n = 0; n < orders; n++)
    await supervisor.switch({ ...to(n % 2 ? '2' : '1', ['A']), operator: String(n) });
  await registry.settled();
  const switches = (await operationsIn(registry)).filter(({ operation }) => operation === 'switch');
  expect(switches.slice(-orders)).toMatchObject(
    Array.from({ length: orders }, (_, n) => ({ operator: String(n), outcome: 'ok' })),
  );
  expect(await copyOf(registry)).toBe('2');
});

test('a change by the registry itself resolves when copy and audit log are written', async () => {
  const { registry } = await returning();
  await registry.rollback(back);
  expect(await copyOf(registry)).toBe('1');
  expect((await operationsIn(registry)).at(-1)).toMatchObject({ operation: 'rollback', operator: 'anna' });
});

test('an order that fails before its commit rejects, and is in the audit log as failed', async () => {
  const { supervisor, registry } = await returning();
  {
    using _ = watchFileSteps(registry.layout.root, {
      ...{ mode: 'fail', code: 'EIO', times: 1 },
      at: { call: 'rename', target: path.basename(registry.layout.registry) },
    });
    await expect(supervisor.rollback(back)).rejects.toMatchObject({ code: 'store_failed' });
    await registry.settled();
  }
  expect(await mappedTo(registry)).toEqual(['2', '1']);
  expect((await operationsIn(registry)).at(-1)).toMatchObject({ operation: 'rollback', outcome: 'failed' });
});

test('a copy that cannot be written after the commit does not undo the order, and is written with the next change', async () => {
  const { supervisor, registry, ask } = await returning();
  {
    using _ = watchFileSteps(registry.layout.root, {
      ...{ mode: 'fail', code: 'EIO', times: 1_000 },
      at: { call: 'rename', target: path.basename(registry.layout.active('A')) },
    });
    await supervisor.rollback(back);
    await registry.settled();
  }
  expect((await ask()).version).toBe('1');
  expect(await copyOf(registry)).toBe('2');
  await registry.activate(to('1', ['B']));
  expect(await copyOf(registry)).toBe('1');
});
