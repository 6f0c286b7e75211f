import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { resolveInside } from '../../src/http/zip-path.js';
import { buildPackage } from '../../src/testing/index.js';
import { folderState } from '../support/folder-state.js';
import { openHttpRunner, type HttpRunner } from '../support/http-runner.js';
import { canLink } from '../support/platform.js';

const good = await buildPackage();

/** A store with a package beside it, and links and folders in `zips/`. */
async function openTempting(): Promise<HttpRunner> {
  const runner = await openHttpRunner();
  const { zips } = runner.registry.layout;
  await mkdir(path.join(zips, 'folder.zip'), { recursive: true });
  await writeFile(path.join(runner.root, '..', 'outside.zip'), good);
  await writeFile(path.join(runner.root, 'algorithms', 'zips-beside.zip'), good);
  if (canLink()) {
    await symlink(path.join(runner.root, '..', 'outside.zip'), path.join(zips, 'link.zip'));
    await symlink(path.join(runner.root, '..'), path.join(zips, 'up'));
  }
  return runner;
}

describe.each(['install', 'validate'])('a path that leads out of zips/ is not there for %s', (endpoint) => {
  test.each([
    '../../../outside.zip',
    '../zips-beside.zip',
    'up/outside.zip',
    'link.zip',
    'x/../../zips-beside.zip',
    '/etc/passwd',
    '..',
    '.',
    './',
    'folder.zip',
    'outside.zip\0',
    '\0',
    '..\\..\\..\\outside.zip',
    '%2e%2e/%2e%2e/%2e%2e/outside.zip',
    'C:\\outside.zip',
    '\\\\host\\share\\outside.zip',
    'file:///etc/passwd',
    'nothing.zip',
  ])('%j', async (name) => {
    const { ask } = await openTempting();
    const response = await ask('POST', `/algorithms/${endpoint}`, { json: { path: name } });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'not_found' });
  });
});

describe('a path inside zips/ by its letters', () => {
  test.each([
    ['x.zip', 'C:\\store\\zips\\x.zip'],
    ['sub\\x.zip', 'C:\\store\\zips\\sub\\x.zip'],
    ['sub/x.zip', 'C:\\store\\zips\\sub\\x.zip'],
    ['C:\\store\\zips\\x.zip', 'C:\\store\\zips\\x.zip'],
    ['c:/STORE/zips/x.zip', 'c:\\STORE\\zips\\x.zip'],
    ['..\\x.zip', undefined],
    ['../x.zip', undefined],
    ['sub/../../x.zip', undefined],
    ['D:\\x.zip', undefined],
    ['D:x.zip', undefined],
    ['\\\\host\\share\\x.zip', undefined],
    ['//host/share/x.zip', undefined],
    ['\\\\?\\C:\\x.zip', undefined],
    ['\\x.zip', undefined],
    ['x.zip:stream', undefined],
    ['x\0.zip', undefined],
    ['.', undefined],
  ])('on Windows %j is %j', (name, expected) => {
    expect(resolveInside('C:\\store\\zips', name, 'win32')).toBe(expected);
  });

  test.each([
    ['x.zip', '/store/zips/x.zip'],
    ['/store/zips/x.zip', '/store/zips/x.zip'],
    ['..x.zip', '/store/zips/..x.zip'],
    ['..\\x.zip', '/store/zips/..\\x.zip'],
    ['../zips-beside/x.zip', undefined],
    ['/store/zips', undefined],
    ['x\0.zip', undefined],
  ])('on POSIX %j is %j', (name, expected) => {
    expect(resolveInside('/store/zips', name, 'linux')).toBe(expected);
  });
});

const NAMES = [
  '..',
  '.',
  '../..',
  '/',
  '\\',
  'C:',
  'a/b',
  'a\\b',
  'con',
  'x\0',
  ' ',
  '\u202e',
  '__proto__',
  'x'.repeat(600),
];

describe('a name or version that leads elsewhere', () => {
  test.each(NAMES)('%j is not removed, not read and not run', async (name) => {
    const { ask, root } = await openTempting();
    const before = await folderState(path.dirname(root));
    const part = encodeURIComponent(name);
    for (const [method, target, json] of [
      ['DELETE', `/algorithms/${part}/1.0.0?force=true`, undefined],
      ['DELETE', `/algorithms/sample/${part}?force=true`, undefined],
      ['GET', `/algorithms/${part}/${part}`, undefined],
      ['POST', '/algorithms/validate', { name, version: name }],
      ['POST', '/algorithms/activate', { name, version: name, pids: ['A'] }],
      ['POST', '/algorithms/switch', { name, version: name, pids: ['A'] }],
    ] as const) {
      const { status } = await ask(method, target, { json });
      expect([400, 404, 405]).toContain(status);
    }
    const after = await folderState(path.dirname(root));
    // Refusals are in the audit log, and nowhere else.
    const unlogged = (state: Record<string, string>) =>
      Object.entries(state).filter(([file]) => !file.includes(path.join(path.basename(root), 'logs')));
    expect(unlogged(after)).toEqual(unlogged(before));
  });

  test.each(['%', '%zz', '%c3%28', '%ff'])('%s in the address is not percent-encoded UTF-8', async (part) => {
    const { ask } = await openHttpRunner();
    expect((await ask('DELETE', `/algorithms/${part}/1`)).status).toBe(400);
  });
});

test('product ids of any letters stay in active/, and are found again under their own names', async () => {
  const { ask, deployer, deliver, registry, root } = await openHttpRunner();
  await deployer.install(await deliver({ generation: 'execute-only' }));
  const beside = await readdir(path.dirname(root));
  const inside = (await readdir(root)).sort();
  const pid = fc.oneof(
    fc.constantFrom(
      '../../evil',
      '..',
      '.',
      '/abs',
      'C:\\evil',
      'a\0b',
      'con',
      '__proto__',
      'constructor',
      ' ',
    ),
    fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }),
  );
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(pid, { minLength: 1, maxLength: 5 }), async (pids) => {
      const json = { name: 'sample', version: '1.0.0', pids };
      const response = await ask('POST', '/algorithms/activate', { json });
      expect(response.status).toBe(200);
      const mappings = (await response.json()) as { pid: string }[];
      expect(mappings.map((mapping) => mapping.pid)).toEqual(pids);
      const text = await (await ask('GET', '/algorithms/active')).text();
      for (const one of pids) expect(text).toContain(`${JSON.stringify(one)}:{`);
    }),
    { numRuns: 20 },
  );
  expect(await readdir(path.dirname(root))).toEqual(beside);
  expect((await readdir(root)).sort()).toEqual(inside);
  for (const file of await readdir(registry.layout.activeRoot)) expect(file).toMatch(/^[\w%.~-]+\.json$/);
});
