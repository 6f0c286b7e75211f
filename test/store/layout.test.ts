import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFileName, isSafeFolderName } from '../../src/store/file-names.js';
import { StoreLayout } from '../../src/store/layout.js';

test('every path is where the deployment specification puts it', () => {
  const root = path.resolve('station');
  const layout = new StoreLayout('station');
  expect(layout.zips).toBe(path.join(root, 'algorithms', 'zips'));
  expect(layout.deployed('board', '1.0')).toBe(path.join(root, 'algorithms', 'deployed', 'board', '1.0'));
  expect(layout.venv('board', '1.0')).toBe(path.join(root, 'algorithms', 'deployed', 'board', '1.0', 'venv'));
  expect(layout.active('A01')).toBe(path.join(root, 'active', 'A01.json'));
  expect(layout.registry).toBe(path.join(root, 'registry.json'));
  expect(layout.logs).toBe(path.join(root, 'logs'));
});

test.each([
  '',
  '.',
  '..',
  '../x',
  'a/b',
  'a\\b',
  'a:b',
  'CON',
  'nul.txt',
  'COM1',
  'x.',
  'x ',
  ' x',
  '.hidden',
  'a\0b',
  '1.0.lock',
])('a package version %j cannot be a folder name', (version) => {
  expect(() => new StoreLayout('station').deployed('board', version)).toThrow(
    expect.objectContaining({ code: 'invalid_params' }),
  );
});

test.each(['board', '1.0', '1.0.0-rc.1+build', '检测', 'a b', 'v1_2'])(
  '%j is a folder name as it is',
  (name) => {
    expect(isSafeFolderName(name)).toBe(true);
  },
);

test.each(['..', '../../etc/passwd', 'a/b', 'C:\\x', 'CON', 'nul', '.', '', 'ü', 'a\0b', 'P.', 'P..1', ' '])(
  'the mapping of the hostile pid %j stays in its folder',
  (pid) => {
    const layout = new StoreLayout('station');
    const file = layout.active(pid);
    expect(path.dirname(file)).toBe(layout.activeRoot);
    expect(isSafeFolderName(path.basename(file)) || pid === '').toBe(true);
  },
);

test('the mapping of a very long pid has a name that every file system takes', () => {
  const layout = new StoreLayout('station');
  for (const pid of ['x'.repeat(10_000), '检测'.repeat(50)]) {
    expect(isSafeFolderName(path.basename(layout.active(pid)))).toBe(true);
  }
});

/** Also long ones that begin alike, and halves of surrogate pairs. */
const anyPid = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('a', '.', '%', '\ud800', '\udc00', '\ufffd', '😀') }),
  fc.string({ unit: 'binary' }).map((end) => 'long '.repeat(50) + end),
);

test('two different pids never share a file name', () => {
  fc.assert(
    fc.property(anyPid, anyPid, (first, second) => {
      expect(encodeFileName(first) === encodeFileName(second)).toBe(first === second);
    }),
  );
});
