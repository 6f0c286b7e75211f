import { describe, expect, test } from 'vitest';
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
    '-c ../constraints.txt',
    '--trusted-host example.org',
    '--proxy http://example.org',
    '--config-settings x=y',
  ])('%s', (line) => {
    const { requirements, refused } = parseRequirements(`numpy\n${line}\n`);
    expect(requirements.map(({ name }) => name)).toEqual(['numpy']);
    expect(refused).toMatchObject([{ line: 2, text: line }]);
  });
});

test('a requirements file of the package may be included, and so may constraints', () => {
  expect(parseRequirements('-r more.txt\n--constraint sub/limits.txt')).toMatchObject({
    includes: ['more.txt'],
    refused: [],
  });
});

test.each(['???', 'numpy>>1', 'numpy 1.0', 'numpy==', '[x]'])('%j is refused with the reason', (text) => {
  expect(parseRequirement(text)).toEqual(expect.any(String));
});
