import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMetadata } from '../../src/package/wheel-metadata.js';

const LINES = [
  ...['Metadata-Version: 2.1', '\ufeffMetadata-Version: 2.1', 'Name: foo', 'name: bar', 'Version: 1.0'],
  ...['Requires-Dist: a', 'requires-dist: b>=1', 'Requires-Dist : c', 'Requires-Dist: d;', ' os_name > "3"'],
  ...[
    '\textra == "x"',
    'Requires-Dist:',
    'Requires-Dist:\xa0e',
    'K: a\vRequires-Dist: f',
    'K: \x85Requires-Dist: g',
  ],
  ...['Summary: one', 'two lines', 'From here', 'From: x', ':odd', 'Author: 检', 'Author-检: x', '', '   '],
  ...['Requires-Python: >=3.8', 'Requires-Python:', 'Description: x\u2028Requires-Dist: h'],
];
const text = fc
  .array(fc.tuple(fc.constantFrom(...LINES), fc.constantFrom('\n', '\n', '\r\n', '\r', '')), { maxLength: 9 })
  .map((lines) => lines.flat().join(''));

test('METADATA has the headers that Python’s email parser finds, which pip reads it with, in 2,000 odd ones', () => {
  const texts = fc.sample(text, 2000);
  const script = `
import email, json, sys
def read(text):
    found = email.message_from_string(text)
    lists = [found.get_all(name) or [] for name in ("Name", "Version", "Requires-Python")]
    values = [value.strip() for value in found.get_all("Requires-Dist") or []]
    return values + [one[0].strip() if one else None for one in lists]
print(json.dumps([read(text) for text in json.load(sys.stdin)]))`;
  const theirs = JSON.parse(
    execFileSync('python3', ['-X', 'utf8', '-c', script], { input: JSON.stringify(texts) }).toString(),
  ) as unknown[];
  const differences = texts.flatMap((one, index) => {
    const { requires, name = null, version = null, requiresPython = null } = parseMetadata(one);
    const ours = [...requires, name, version, requiresPython];
    return JSON.stringify(ours) === JSON.stringify(theirs[index])
      ? []
      : [{ one, ours, pythons: theirs[index] }];
  });
  expect(differences.slice(0, 10)).toEqual([]);
});
