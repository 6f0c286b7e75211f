import { expect, test } from 'vitest';
import { evaluateMarker, isMarker, parseDependency } from '../../src/package/pep508.js';
import { markerEnvironment as environment } from '../support/marker-environment.js';

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
  ['numpy @ https://h/n.whl ', { url: 'https://h/n.whl' }],
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

test.each([
  ['\\a\\b\\f\\n\\r\\t\\v', '\x07\b\f\n\r\t\v'],
  ['\\\\', '\\'],
  ["\\'", "'"],
  ['\\101\\60', 'A0'],
  ['\\x41', 'A'],
  ['\\u00e9', 'é'],
  ['\\U0001F600', '😀'],
  ['\\q', '\\q'],
  ['one\\\nword', 'oneword'],
  ['one\\\r\nword', 'oneword'],
])('the text "%s" of a marker is read as Python reads it', (written, value) => {
  expect(evaluateMarker(`os_name == "${written}"`, { os_name: value })).toBe(true);
});

test('a quote between quotes of the other kind, and one that is escaped, are the same', () => {
  expect(evaluateMarker(`os_name == '\\"'`, { os_name: '"' })).toBe(true);
  expect(evaluateMarker(`os_name == '"'`, { os_name: '"' })).toBe(true);
});

test.each(['\\x4', '\\u00e', '\\U00110000', '\\N{DASH}', 'two\nlines', 'two\rlines', 'a\0b', '\\\0'])(
  'the text %j, which Python does not read or which names a character, is part of no marker',
  (written) => {
    expect(isMarker(`os_name == "${written}"`)).toBe(false);
  },
);
