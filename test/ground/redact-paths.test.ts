import { describe, expect, test } from 'vitest';
import { withoutPaths } from '../../src/redact-paths.js';

describe('of a store below C:\\Program Files a client is told nothing of where it is,', () => {
  const root = String.raw`C:\Program Files\pv\store`;

  test.each([
    [String.raw`${root}\logs\a.jsonl is full`, String.raw`logs\a.jsonl is full`],
    [String.raw`cannot open '${root}\logs\a'`, String.raw`cannot open 'logs\a'`],
    [String.raw`[Errno 2]: 'C:\\Program Files\\pv\\store\\logs\\a'`, String.raw`[Errno 2]: 'logs\\a'`],
    [String.raw`c:\program files\PV\store\logs\a is full`, String.raw`logs\a is full`],
    ['C:/Program Files/pv/store/logs/a is full', 'logs/a is full'],
    [String.raw`\\?\C:\Program Files\pv\store\logs\a is full`, String.raw`logs\a is full`],
    [`${root} is full`, 'the store is full'],
    [`in ${root.toUpperCase()}.`, 'in …/store.'],
    [`in ${root.toUpperCase()}: full`, 'in the store: full'],
    [String.raw`no C:\Program Files\pv\store-2\a`, 'no …/a'],
  ])('%s', (text, told) => {
    expect(withoutPaths({ text }, root).text.replace('STORE', 'store')).toBe(told);
  });
});

test('of a share that is the store the name of the server is not told', () => {
  const root = String.raw`\\line-7\pv store`;
  expect(withoutPaths([String.raw`no \\line-7\pv store\logs\a`], root)).toEqual([String.raw`no logs\a`]);
  expect(withoutPaths([String.raw`no '\\\\LINE-7\\pv store\\a'`], root)).toEqual([`no 'a'`]);
});

test.each([
  [String.raw`no C:\Program Files (x86)\Python311\python.exe there`, 'no …/python.exe there'],
  [String.raw`no 'C:\\Users\\John Doe\\model.onnx'`, "no '…/model.onnx'"],
  ['no C:/models/secret/model.onnx there', 'no …/model.onnx there'],
  [String.raw`no \\?\D:\models\model.onnx there`, 'no …/model.onnx there'],
  [String.raw`no \\line-7\c $\models\model.onnx there`, 'no …/model.onnx there'],
  [String.raw`C:\a b\x.dll and D:\c d\y.dll`, '…/x.dll and …/y.dll'],
  [String.raw`(C:\a\x.dll) needs application/zip or \d+`, String.raw`(…/x.dll) needs application/zip or \d+`],
  ["[Errno 2] No such file: '/srv/my models/a b/model.onnx'", "[Errno 2] No such file: '…/model.onnx'"],
  [
    String.raw`{"said": "no \"/srv/my models/a b.onnx\" there"}`,
    String.raw`{"said": "no \"…/a b.onnx\" there"}`,
  ],
  ["'/a b/c' is not '/c d/e', nor is '/metrics' a path", "'…/c' is not '…/e', nor is '/metrics' a path"],
  [
    'no /usr/lib/python3 there, and/or http://localhost:80/a/b',
    'no …/python3 there, and/or http://localhost:80/a/b',
  ],
])('of a path that is not in the store its last name alone is told: %s', (text, told) => {
  expect(withoutPaths([`x ${text}`], '/srv/store')).toEqual([`x ${told}`]);
  expect(withoutPaths([`x ${text}`], String.raw`E:\store`)).toEqual([`x ${told}`]);
});
