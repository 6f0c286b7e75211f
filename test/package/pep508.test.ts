import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluateMarker } from '../../src/package/pep508.js';
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
    const markers = fc.sample(marker, { numRuns: 2000, seed: 508 });
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
