import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluateMarker, isMarker, parseDependency } from '../../src/package/pep508.js';
import { NEWEST_PIP, newestPip } from '../support/newest-pip.js';

const environment = {
  os_name: 'posix',
  sys_platform: 'linux',
  platform_system: 'Linux',
  platform_machine: 'x86_64',
  platform_release: '',
  platform_version: '',
  python_version: '3.10',
  python_full_version: '3.10.13',
  platform_python_implementation: 'CPython',
  implementation_name: 'cpython',
  implementation_version: '3.10.13',
  extra: '',
};

const pip = await newestPip();

function pipEvaluates(folder: string, markers: string[]): (boolean | null)[] {
  const script = `
import json, sys
sys.path.insert(0, ${JSON.stringify(folder)})
from pip._vendor.packaging.markers import Marker, InvalidMarker, UndefinedComparison
order = json.load(sys.stdin)
def judge(text):
    try:
        return Marker(text).evaluate(order["environment"])
    except (InvalidMarker, UndefinedComparison):
        return None
print(json.dumps([judge(text) for text in order["markers"]]))`;
  const input = JSON.stringify({ environment, markers });
  return JSON.parse(execFileSync('python3', ['-c', script], { input }).toString()) as (boolean | null)[];
}

const operator = fc.constantFrom('==', '!=', '<', '<=', '>', '>=');
const comparison = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('python_version', 'python_full_version'),
      operator,
      fc.constantFrom('3', '3.8', '3.9', '3.10', '3.11', '3.10.13', '4'),
    )
    .map(([variable, op, value]) => `${variable} ${op} "${value}"`),
  fc
    .tuple(
      fc.constantFrom(
        'sys_platform',
        'platform_system',
        'os_name',
        'platform_machine',
        'implementation_name',
      ),
      fc.constantFrom('==', '!='),
      fc.constantFrom('linux', 'Linux', 'win32', 'posix', 'nt', 'x86_64', 'cpython'),
    )
    .map(([variable, op, value]) => `${variable} ${op} '${value}'`),
  fc
    .tuple(fc.constantFrom('linux', 'lin', 'win'), fc.constantFrom('in', 'not in'))
    .map(([value, op]) => `"${value}" ${op} sys_platform`),
  fc.constantFrom(
    '"3.8" <= python_version',
    'python_version ~= "3.8"',
    'python_version == "3.*"',
    'python_version >= "3.8.*"',
    'sys_platform >= "linux"',
    'platform_release > ""',
    'extra == "gpu"',
    'extra != "gpu"',
  ),
);
const marker = fc.letrec<{ tree: string; pair: string }>((tie) => ({
  tree: fc.oneof({ maxDepth: 3 }, comparison, tie('pair')),
  pair: fc
    .tuple(tie('tree'), fc.constantFrom('and', 'or'), tie('tree'), fc.boolean())
    .map(([left, op, right, grouped]) => (grouped ? `(${left} ${op} ${right})` : `${left} ${op} ${right}`)),
})).tree;

test.skipIf('reason' in pip)(
  `markers are judged as pip ${NEWEST_PIP} judges them, for 2,000 generated markers`,
  () => {
    if ('reason' in pip) return;
    const markers = fc.sample(marker, { numRuns: 2000 });
    const theirs = pipEvaluates(pip.folder, markers);
    const differences = markers
      .map((text, index) => ({
        text,
        ours: evaluateMarker(text, environment) ?? null,
        pips: theirs[index] ?? null,
      }))
      .filter(({ ours, pips }) => ours !== pips);
    expect(differences.slice(0, 10)).toEqual([]);
  },
);

test.each([
  '',
  'python_version',
  'python_version >',
  'x == "1"',
  '(python_version > "3"',
  'python_version > "3" or',
  '"a" "b"',
])('%j is no marker', (text) => {
  expect(evaluateMarker(text, environment)).toBeUndefined();
});

test.each([
  ['numpy', {}],
  [' numpy ', {}],
  ['numpy[]', {}],
  ['numpy [ a , b-c ]', { extras: ['a', 'b-c'] }],
  ['numpy >=1 , <2', { specifier: '>=1,<2' }],
  ['numpy (>=1,<2)', { specifier: '>=1,<2' }],
  ['numpy >=1,', { specifier: '>=1' }],
  ['numpy ==1.*', { specifier: '==1.*' }],
  ['numpy ==1+cpu', { specifier: '==1+cpu' }],
  ['numpy ; os_name == "nt" ', { marker: 'os_name == "nt"' }],
  ['numpy[a]>=1;os_name == "nt"', { extras: ['a'], specifier: '>=1', marker: 'os_name == "nt"' }],
  ['numpy @ https://h/n.whl', { url: 'https://h/n.whl' }],
  [
    'numpy[a]@https://h/n.whl ; os_name == "nt"',
    { extras: ['a'], url: 'https://h/n.whl', marker: 'os_name == "nt"' },
  ],
])('%j is read part by part', (text, parts) => {
  expect(parseDependency(text)).toEqual({ name: 'numpy', extras: [], specifier: '', ...parts });
});

test.each([
  '',
  '-numpy',
  'numpy x',
  'numpy >=',
  'numpy >=1 x',
  'numpy >=1.*',
  'numpy >=1+cpu',
  'numpy (>=1',
  'numpy >=1)',
  'numpy[',
  'numpy[a',
  'numpy[,]',
  'numpy[a,]',
  'numpy ;',
  'numpy ; x == "1"',
  'numpy ===1,2',
  'numpy @',
  'numpy @ https://h/n.whl x',
  'numpy @ https://h/n.whl ; x == "1"',
])('%j is no dependency', (text) => {
  expect(parseDependency(text)).toBeUndefined();
});

const everything = {
  ...environment,
  platform_release: '6.10.2',
  platform_version: '#1 SMP  2026',
};

test.each(Object.entries(everything))('%s is %j, and nothing else', (variable, value) => {
  expect(evaluateMarker(`${variable} == "${value}"`, everything)).toBe(true);
  expect(evaluateMarker(`"other" == ${variable}`, everything)).toBe(false);
});

test.each([
  ['os.name', 'os_name'],
  ['sys.platform', 'sys_platform'],
  ['platform.version', 'platform_version'],
  ['platform.machine', 'platform_machine'],
  ['platform.python_implementation', 'platform_python_implementation'],
  ['python_implementation', 'platform_python_implementation'],
] as const)('%s is the old name of %s', (old, name) => {
  expect(evaluateMarker(`${old} == "${everything[name]}"`, everything)).toBe(true);
});

test.each([
  ['python_version >= "3.9"', true],
  ['python_full_version >= "3.9"', true],
  ['implementation_version >= "3.9"', true],
  ['platform_release >= "6.9"', true],
  ['platform_machine >= "x86"', false],
  ['platform_machine <= "x86_64"', true],
  ['platform_machine >= "x86_64"', true],
  ['os_name < "z"', false],
  ['os_name > "a"', false],
  ['os_name != "nt"', true],
  ['python_version === "3.10"', true],
  ['python_version === "3.1"', false],
  ['python_version == "3.10,<4"', false],
  ['"x86" in platform_machine', true],
  ['"arm" not   in platform_machine', true],
  ['"x86" not in platform_machine', false],
  ['os_name == "posix" and sys_platform == "win32"', false],
  ['os_name == "nt" or sys_platform == "linux"', true],
  ['os_name == "posix" or sys_platform == "linux" and os_name == "nt"', true],
  ['(os_name == "posix" or sys_platform == "linux") and os_name == "nt"', false],
  ['extra == "GPU_x"', false],
  [' os_name == "posix" ', true],
])('%j is %s', (text, isTrue) => {
  expect(evaluateMarker(text, everything)).toBe(isTrue);
});

test('names of extras are compared in their normal form, and without an extra it is empty', () => {
  expect(evaluateMarker('extra == "GPU_x"', { extra: 'gpu-X' })).toBe(true);
  expect(evaluateMarker('extra == "gpu"', {})).toBe(false);
  expect(evaluateMarker('extra == ""', {})).toBe(true);
});

test('of two variables the second counts as a text, and two texts cannot be compared', () => {
  expect(evaluateMarker('os_name == sys_platform', { os_name: 'sys_platform', sys_platform: 'x' })).toBe(
    true,
  );
  expect(evaluateMarker('"a" == "a"', everything)).toBeUndefined();
});

test('what is compared as text is not compared as a version, and upper case counts for nothing after ===', () => {
  expect(evaluateMarker('os_name == "1.0"', { os_name: '1' })).toBe(false);
  expect(evaluateMarker('python_full_version === "3.10A"', { python_full_version: '3.10a' })).toBe(true);
  expect(evaluateMarker('python_full_version === "3.10a"', { python_full_version: '3.10A' })).toBe(true);
});

test.each(['extras', 'dependency_groups'])(
  '%s is a marker variable of lock files, without a value here',
  (name) => {
    expect(isMarker(`"x" in ${name}`)).toBe(true);
    expect(evaluateMarker(`"x" in ${name}`, everything)).toBeUndefined();
    expect(evaluateMarker(`"x" in ${name} or os_name == "posix"`, everything)).toBeUndefined();
    expect(evaluateMarker(`os_name == "nt" or "x" in ${name}`, everything)).toBeUndefined();
  },
);

test('a comparison that has no order for it, and a variable without a value, give no answer', () => {
  expect(evaluateMarker('os_name ~= "posix"', everything)).toBeUndefined();
  expect(evaluateMarker('os_name == "posix"', {})).toBeUndefined();
});

test('a marker of 999 tokens is read, of 1,001 it is not', () => {
  const many = Array<string>(249).fill('os_name == "posix"').join(' and ');
  expect(isMarker(`${many} and os_name == "posix"`)).toBe(true);
  expect(isMarker(`${many} and (os_name == "posix")`)).toBe(false);
});

test.each([
  'os_name == "posix" "x"',
  'os_name == "posix" §',
  'x == "1"',
  '§',
  'os_name == (',
  'os_name "posix"',
])('%j is no marker, and nothing is thrown', (text) => {
  expect(isMarker(text)).toBe(false);
});

const PIECES = [
  ...[
    'd',
    'e-f',
    '[x]',
    '[ x , y ]',
    '[]',
    ' ',
    '\t',
    '\n',
    '\r',
    '\v',
    '\xa0',
    '\ufeff',
    ',',
    '(',
    ')',
    ';',
    '"',
    "'",
  ],
  ...[
    '>=1',
    '<2.0.*',
    '==1.*',
    '~=1.2',
    '===any,thing',
    ' @ ',
    'file:///x.whl',
    'in',
    'not in',
    'not\nin',
    '"a b"',
  ],
  ...[
    'python_version',
    '"x" in extras',
    'os.name',
    ' and ',
    ' or ',
    '\\',
    '\\n',
    '\\x41',
    '\\u00e9',
    '\\q',
    '\\U00110000',
  ],
];
/** Dependency specifiers with something put into them, or out of them. */
const mutated = fc
  .tuple(
    fc.constantFrom(
      'd>=1 ; python_version > "3"',
      'd[x] >=1,<2',
      'd @ https://a/b ; os_name=="posix"',
      'd (>=1,<2)',
      'd; "linux" in sys_platform and (extra == "x" or os_name != "y")',
    ),
    fc.array(fc.tuple(fc.nat(70), fc.constantFrom(...PIECES), fc.nat(2)), { minLength: 1, maxLength: 2 }),
  )
  .map(([text, changes]) =>
    changes
      .reduce<string>((now, [at, piece, gone]) => now.slice(0, at) + piece + now.slice(at + gone), text)
      // As METADATA and requirements are read before.
      .trim(),
  );

test.skipIf('reason' in pip)(
  `dependency specifiers are read and refused as pip ${NEWEST_PIP} does, for 2,000 mutated ones`,
  () => {
    if ('reason' in pip) return;
    const texts = fc.sample(mutated, 2000);
    const script = `
import json, sys
sys.path.insert(0, ${JSON.stringify(pip.folder)})
from pip._vendor.packaging.requirements import Requirement
def read(text):
    try:
        one = Requirement(text)
    except Exception:
        return None
    return [one.name, sorted(one.extras), one.url, one.marker is not None]
print(json.dumps([read(text) for text in json.load(sys.stdin)]))`;
    const input = JSON.stringify(texts);
    const theirs = JSON.parse(
      execFileSync('python3', ['-c', script], { input, stdio: ['pipe', 'pipe', 'ignore'] }).toString(),
    ) as unknown[];
    const differences = texts.flatMap((text, index) => {
      const found = parseDependency(text);
      const { name, extras = [], url = null, marker } = found ?? {};
      const ours = found ? [name, [...new Set(extras)].sort(), url, marker !== undefined] : null;
      return JSON.stringify(ours) === JSON.stringify(theirs[index])
        ? []
        : [{ text, ours, pips: theirs[index] }];
    });
    expect(differences.slice(0, 10)).toEqual([]);
    expect(theirs.filter((one) => one !== null).length).toBeGreaterThan(100);
  },
);
