import fs from 'node:fs';
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { TemporaryStore } from '../../src/testing/index.js';
import { targetOf } from '../../src/testing/file-steps/step-counter.js';
import type { FileStepPlan } from '../../src/testing/file-steps/types.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('counts what changes a file or a folder below the root, by whatever kind of call, and nothing else', async () => {
  const root = await temporaryFolder();
  const outside = await temporaryFolder();
  const at = (name: string) => path.join(root, name);
  {
    using watch = watchFileSteps(root);
    await mkdir(at('folder'));
    await writeFile(at('a'), 'one');
    fs.writeFileSync(at('b'), 'two');
    const handle = await open(at('c'), 'w');
    await handle.write('three');
    await handle.sync();
    await handle.close();
    await pipeline(['four'], fs.createWriteStream(at('d')));
    await rename(at('a'), path.join(outside, 'a'));
    await readFile(at('b'));
    await writeFile(path.join(outside, 'e'), 'five');
    expect(watch.steps.map(({ call, path: file }) => [call, file && path.basename(file)])).toEqual([
      ['mkdir', 'folder'],
      ['writeFile', 'a'],
      ['writeFile', 'b'],
      ['open', 'c'],
      ['write', undefined],
      ['sync', undefined],
      ['open', 'd'],
      ['write', undefined],
      ['rename', 'a'],
    ]);
    expect(watch.count).toBe(9);
  }
});

describe('a step that is to fail', () => {
  test('fails with its code at its number, once', async () => {
    const root = await temporaryFolder();
    using _watch = watchFileSteps(root, { mode: 'fail', at: 2, code: 'EIO' });
    const file = path.join(root, 'file');
    await writeFile(file, '1');
    await expect(writeFile(file, '2')).rejects.toMatchObject({ code: 'EIO', syscall: 'writeFile' });
    await writeFile(file, '3');
    expect(await readFile(file, 'utf8')).toBe('3');
  });

  test('by a full disk lets half of a write through, and fails as often as is asked', async () => {
    const root = await temporaryFolder();
    using _watch = watchFileSteps(root, { mode: 'fail', at: 1, code: 'ENOSPC', times: Infinity });
    const file = path.join(root, 'file');
    await expect(writeFile(file, '12345678')).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await readFile(file, 'utf8')).toBe('1234');
    await expect(mkdir(path.join(root, 'folder'))).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  test('is found by its call and the end of its target, if it has no number', async () => {
    const root = await temporaryFolder();
    const at = { call: 'rename', target: 'new' };
    using watch = watchFileSteps(root, { mode: 'fail', at, code: 'EACCES' });
    const file = path.join(root, 'old');
    await writeFile(file, 'new');
    await expect(rename(file, path.join(root, 'new'))).rejects.toMatchObject({ code: 'EACCES' });
    await rename(file, path.join(root, 'new'));
    expect(watch.count).toBe(3);
  });

  test('fails a stream and a synchronous call as well', async () => {
    const root = await temporaryFolder();
    using _watch = watchFileSteps(root, { mode: 'fail', at: 2, code: 'ENOSPC', times: 2 });
    const written = pipeline(['12345678'], fs.createWriteStream(path.join(root, 'stream')));
    await expect(written).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(() => {
      fs.mkdirSync(path.join(root, 'folder'));
    }).toThrow('ENOSPC');
  });
});

test('the functions of node:fs are what they were when the watch ends, also for files that are still open', async () => {
  const root = await temporaryFolder();
  const before = { ...fs, ...fs.promises };
  const watch = watchFileSteps(root, { mode: 'fail', at: 2, code: 'EIO', times: Infinity });
  const handle = await open(path.join(root, 'file'), 'w');
  await expect(handle.write('1')).rejects.toMatchObject({ code: 'EIO' });
  watch[Symbol.dispose]();
  await handle.write('2');
  await handle.close();
  await writeFile(path.join(root, 'other'), '');
  expect({ ...fs, ...fs.promises }).toEqual(before);
  expect(watch.count).toBe(2);
});

test('an activation that fails at any of its steps says so, or has happened', async () => {
  await using store = await TemporaryStore.open({ pollMs: 60_000 });
  await store.deploy({ productIds: ['A01'] });
  const attempt = async (plan: FileStepPlan) => {
    using watch = watchFileSteps(store.root, plan);
    const change = { name: 'sample', version: '1.0.0', pids: ['A01'] };
    const error = await store.registry.activate(change).then(
      () => undefined,
      (reason: unknown) => reason as { code: string },
    );
    return { count: watch.count, error };
  };
  const { count } = await attempt({ mode: 'count' });
  expect(count).toBeGreaterThan(5);
  const codes = new Set<string>();
  for (let at = 1; at <= count; at++) {
    await store.registry.deactivate({ productIds: ['A01'] }).catch(() => undefined);
    const { error } = await attempt({ mode: 'fail', at, code: 'EIO' });
    if (error) codes.add(error.code);
    const active = await store.registry.active();
    expect('A01' in active, `step ${at}`).toBe(error === undefined);
  }
  expect([...codes]).toEqual(['store_failed']);
}, 120_000);

test('the end of a path is named with / where the system has another separator', () => {
  expect(targetOf('rename', ['C:\\store\\new', 'C:\\store\\old'], '\\')).toBe('C:/store/old');
  expect(targetOf('mkdir', ['/store/a\\b'], '/')).toBe('/store/a\\b');
});
