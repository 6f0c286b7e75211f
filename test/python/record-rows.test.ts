import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { assetPath } from '../../src/assets.js';
import fc from 'fast-check';

/** Answers each line of JSON on stdin by what `expression` makes of it as `given`. */
function inPython(expression: string, given: readonly unknown[]): unknown[] {
  const program = `
import csv, io, json, os, sys
sys.path.insert(0, ${JSON.stringify(path.dirname(assetPath('python/wheels/store_helper.py')))})
import wheel_files, wheel_link
from file_owners import Owners
def by_csv(text):
    try:
        return [row for row in csv.reader(io.StringIO(text, newline="")) if row and row[0]]
    except csv.Error:
        return "refused"
def by_lines(text):
    lines = wheel_files.plain_lines(text)
    return by_csv(text) if lines is None else [row for row in (line.split(",") for line in lines) if row[0]]
def written(rows):
    made = io.StringIO(newline="")
    csv.writer(made).writerows(rows)
    return made.getvalue()
def owned(wheels, at_once):
    owners = Owners(True)
    for library, rows in wheels:
        if at_once:
            owners.add_all(library, rows)
        else:
            for row in rows:
                owners.add(library, row[0])
    return [sorted(owners.files), owners.contested]
for line in sys.stdin.buffer:
    given = json.loads(line)
    print(json.dumps(${expression}))
`;
  const input = given.map((one) => `${JSON.stringify(one)}\n`).join('');
  const told = execFileSync('python3', ['-I', '-B', '-c', program], {
    ...{ input, encoding: 'utf8', maxBuffer: 64 << 20 },
  });
  return told
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

const RUNS = 2_000;
const piece = fc.constantFrom(
  'a',
  'b',
  '.',
  '/',
  './',
  '//',
  '.data',
  '\\',
  ',',
  '"',
  ' ',
  '\r',
  '\n',
  '\0',
  'ä',
  'Σ',
  '\u2028',
);
const field = fc.array(piece, { maxLength: 6 }).map((parts) => parts.join(''));
const plain = fc.stringMatching(/^[ab/.]{1,5}$/);
const row = fc.tuple(
  fc.oneof(plain, field),
  fc.oneof(fc.constant('sha256=x'), field),
  fc.constantFrom('', '7'),
);

test('a RECORD of 2,000 random texts, read by lines where it can be, has the rows that the csv module reads', () => {
  const text = fc.array(fc.oneof(piece, fc.constantFrom('a,sha256=x,7\n', 'b,,\r\n')), { maxLength: 12 });
  const texts = fc.sample(text, RUNS).map((parts) => parts.join(''));
  texts.push('', `a,${'x'.repeat(140_000)},7\n`);
  expect(inPython('by_lines(given)', texts)).toEqual(inPython('by_csv(given)', texts));
});

test('2,000 sets of random rows, written at once where they can be, have the bytes that the csv module writes', () => {
  const sets = fc.sample(fc.array(row, { maxLength: 5 }), RUNS);
  expect(inPython('wheel_files.record_text(given)', sets)).toEqual(inPython('written(given)', sets));
});

test('the owners of files of 2,000 sets of wheels are the same, taken at once and row by row', () => {
  const wheel = fc.tuple(fc.constantFrom('/env/lib', '/env/lib64'), fc.array(row, { maxLength: 4 }));
  const sets = fc.sample(fc.array(wheel, { maxLength: 3 }), RUNS);
  const found = inPython('owned(given, True)', sets);
  expect(found).toEqual(inPython('owned(given, False)', sets));
  expect(new Set(found.map((one) => (one as [unknown, boolean])[1])).size).toBe(2);
});

test('2,000 sets of names fold together as each name folds by itself', () => {
  const names = fc.array(
    fc.string({ unit: fc.constantFrom('a', 'Σ', 'σ', 'ς', 'ä', 'a\u0308', '\u0308', 'İ') }),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  const sets = fc.sample(names, RUNS);
  const alone = 'sorted({wheel_link.unicodedata.normalize("NFC", name).lower() for name in given})';
  expect(inPython('sorted(wheel_link.folded(given))', sets)).toEqual(inPython(alone, sets));
});

test('what a linking process did not expect is told by its name, not as an end before its time', () => {
  const failing = `[told for told in [[]] if not wheel_link.telling_failure(
    lambda share, tell: {}["no such key"], [], lambda *values: told.extend(values))][0]`;
  expect(inPython(failing.replaceAll('\n', ' '), [0])).toEqual([
    ['error', 5, "cannot be linked (KeyError('no such key'))", null],
  ]);
});
