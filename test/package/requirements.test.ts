import { describe, expect, test } from 'vitest';
import { decodeRequirements } from '../../src/package/requirement-lines.js';
import { parseRequirement, parseRequirements } from '../../src/package/requirements.js';

test('comments, continued lines, hashes, extras and markers are read', () => {
  const hash = 'A'.repeat(64);
  const text = `# head\r
numpy >= 1.2, <2  # why\r
Opencv_Python[Extra.One, two]==4.8 ; python_version < "3.12" and sys_platform == 'linux'
six==1.16.0 \\
    --hash=sha256:${hash} \\
    --hash=sha256:${'b'.repeat(64)}

--no-index
`;
  expect(parseRequirements(text)).toEqual({
    requirements: [
      { text: 'numpy >= 1.2, <2', name: 'numpy', extras: [], specifier: '>=1.2,<2', hashes: [], line: 2 },
      {
        text: `Opencv_Python[Extra.One, two]==4.8 ; python_version < "3.12" and sys_platform == 'linux'`,
        name: 'opencv-python',
        extras: ['extra-one', 'two'],
        specifier: '==4.8',
        marker: `python_version < "3.12" and sys_platform == 'linux'`,
        hashes: [],
        line: 3,
      },
      {
        text: 'six==1.16.0',
        name: 'six',
        extras: [],
        specifier: '==1.16.0',
        hashes: ['a'.repeat(64), 'b'.repeat(64)],
        line: 4,
      },
    ],
    refused: [],
    includes: [],
    options: [],
  });
});

describe('a line that would reach outside the package is refused', () => {
  test.each([
    '--index-url https://example.org/simple',
    '--index-url=https://example.org/simple',
    '-i https://example.org/simple',
    '-ihttps://example.org/simple',
    '--extra-index-url https://example.org',
    '-f ../other',
    '--find-links=https://example.org',
    '-e .',
    '--editable git+https://example.org/x',
    'git+https://example.org/x.git',
    'https://example.org/x-1.0-py3-none-any.whl',
    'file:///tmp/x-1.0-py3-none-any.whl',
    'x @ https://example.org/x-1.0-py3-none-any.whl',
    '../x-1.0-py3-none-any.whl',
    './wheels/x-1.0-py3-none-any.whl',
    'C:\\wheels\\x-1.0-py3-none-any.whl',
    '-r ../other.txt',
    '-r /etc/requirements.txt',
    '-r https://example.org/r.txt',
    '--requirement=..\\other.txt',
    '-r more\\other.txt',
    '-r .\\./other.txt',
    '-c https\\://example.org/c.txt',
    '-f wheels#',
    '-f wheels#comment',
    '-f wheels\\https://example.org',
    '-f https\\://example.org',
    '-f .\\./wheels',
    '-f \\/usr/share/wheels',
    '-f "wheels',
    "-f wheels's",
    '-c ../constraints.txt',
    '--trusted-host example.org',
    '--proxy http://example.org',
    '--config-settings x=y',
    '--pre --index-url https://example.org/simple',
    '--no-index --find-links https://example.org',
    '-c limits.txt --index-url https://example.org',
    '-r more.txt -r other.txt',
    '-c ${HOME}/limits.txt',
    '-r file:///etc/requirements.txt',
    "-f '/usr/share/wheels'",
    '--index https://example.org',
    '--pre=-ihttps://example.org',
    '--index-url',
    'x==${VERSION}',
    'x[${EXTRA}]',
    'x[../../y]',
    'x --config-settings=a=b',
    'x -e ../y',
    'x --hash=md5:d41d8cd98f00b204e9800998ecf8427e',
    'x --hash=sha256:beef',
    'x@file:///tmp/x-1.0-py3-none-any.whl',
    'x.whl;python_version>"3"',
    'x-1.0.tar.gz',
    'x.zip',
    '.',
  ])('%s', (line) => {
    const { requirements, refused } = parseRequirements(`numpy\n${line}\n`);
    expect(requirements.map(({ name }) => name)).toEqual(['numpy']);
    expect(refused).toMatchObject([{ line: 2, text: line }]);
  });
});

test('a requirements file of the package may be included, and so may constraints', () => {
  expect(
    parseRequirements('-r more.txt\n--constraint sub/limits.txt\n-c a.txt\n-rb.txt\n-r "c d.txt"'),
  ).toMatchObject({
    includes: [
      { file: 'more.txt', kind: 'requirements', before: 0 },
      { file: 'sub/limits.txt', kind: 'constraints', before: 0 },
      { file: 'a.txt', kind: 'constraints', before: 0 },
      { file: 'b.txt', kind: 'requirements', before: 0 },
      { file: 'c d.txt', kind: 'requirements', before: 0 },
    ],
    refused: [],
  });
});

test.each(['???', 'numpy>>1', 'numpy 1.0', 'numpy==', '[x]'])('%j is refused with the reason', (text) => {
  expect(parseRequirement(text)).toEqual(expect.any(String));
});

describe('an option that a reader does not see, and pip does, is refused:', () => {
  const OPTION = '--extra-index-url https://example.org';
  test.each([
    ['behind a vertical tab in a comment', `# harmless \v${OPTION}`],
    ['behind a form feed', `numpy #\f${OPTION}`],
    ['behind a file separator', `# harmless\u001c${OPTION}`],
    ['behind a next-line character', `numpy # fine\u0085${OPTION}`],
    ['behind a line separator', `# harmless\u2028${OPTION}`],
    ['behind a paragraph separator', `# harmless\u2029${OPTION}`],
    ['behind a lone carriage return', `# harmless\r${OPTION}`],
    ['behind a byte order mark', `numpy\n\ufeff${OPTION}`],
    ['behind a blank of no width', `numpy\n\u200b${OPTION}`],
    ['behind blanks of other kinds', `numpy\n\u3000\u00a0${OPTION}`],
    ['continued over several lines', '--extra-\\\nindex-url \\\nhttps://example.org'],
    ['continued by backslashes on both sides', `\\${OPTION}\\\n`],
    ['after a comment that does not continue', `# harmless \\\n${OPTION}`],
    ['after a continued line that a comment ends', `numpy \\\n# harmless\n${OPTION}`],
  ])('%s', (_, text) => {
    expect(parseRequirements(text).refused).toHaveLength(1);
  });
});

test('harmless options, hashes of other algorithms and links to the package itself are taken', () => {
  const text = `--no-index --find-links ./wheels\n-f wheels # ours\n-f .\\wheels\n-f "./wheels"\n--only-binary :all:\n--no-binary=none --pre\n--require-hashes
six --hash=sha512:${'c'.repeat(128)} --hash sha256:${'d'.repeat(64)}\n`;
  expect(parseRequirements(text)).toMatchObject({
    refused: [],
    options: ['--pre', '--require-hashes'],
    requirements: [{ text: 'six', hashes: [`sha512:${'c'.repeat(128)}`, 'd'.repeat(64)] }],
  });
});

describe('the bytes of a requirements file', () => {
  const option = '--index-url https://example.org';
  test.each([
    ['UTF-7', '# -*- coding: utf-7 -*-\n# harmless +AAo---index-url https://example.org\n'],
    ['an encoding nobody knows', '# coding=klingon\nnumpy\n'],
    ['UTF-7 named after a thousand characters', `# ${'x'.repeat(5000)} coding: utf-7\nnumpy\n`],
  ])('are not read in %s', (_, text) => {
    expect(decodeRequirements(Buffer.from(text))).toBeUndefined();
  });

  test.each([
    ['UTF-16 with a BOM', Buffer.from(`\ufeff${option}`, 'utf16le')],
    ['UTF-16, the other way round', Buffer.from(`\ufeff${option}`, 'utf16le').swap16()],
    ['UTF-8 with a BOM', Buffer.from(`\ufeff${option}`)],
    ['UTF-8 with a BOM and another encoding named', Buffer.from(`\ufeff# coding: utf-7\n${option}`)],
    [
      'GBK, as named',
      Buffer.concat([
        Buffer.from('# coding: gbk\n# '),
        Buffer.from([0xd6, 0xd0]),
        Buffer.from(`\n${option}`),
      ]),
    ],
    ['GBK, not named', Buffer.concat([Buffer.from([0x23, 0xd6, 0xd0, 0x0a]), Buffer.from(option)])],
  ])('are read in %s', (_, bytes) => {
    const text = decodeRequirements(bytes);
    expect(parseRequirements(text ?? '').refused.map((line) => line.text)).toEqual([option]);
  });
});

test('a line of a million blanks and one of a million brackets take no time', () => {
  const startedAt = performance.now();
  for (const text of [
    ' '.repeat(1e6),
    '('.repeat(1e6),
    '#'.repeat(1e6),
    'a'.repeat(1e6),
    '-'.repeat(1e6),
    '"'.repeat(1e6),
  ]) {
    parseRequirements(`numpy${text}x`);
    parseRequirement(`numpy${text}x`);
  }
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test.each(['-f wheels\ufeff', 'numpy\ufeff', 'numpy \ufeff'])(
  '%j, whose end cannot be seen and is read by pip, is refused',
  (text) => {
    expect(parseRequirements(text)).toMatchObject({
      requirements: [],
      refused: [{ line: 1, why: 'has a character in it that cannot be seen' }],
    });
  },
);
