import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluateMarker, parseDependency } from '../../src/package/pep508.js';
import { NEWEST_PIP, newestPip } from '../support/newest-pip.js';
import { markerEnvironment as environment } from '../support/marker-environment.js';

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
