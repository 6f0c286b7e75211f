import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compareVersions,
  formatVersion,
  namesPreRelease,
  parseSpecifiers,
  parseVersion,
  satisfies,
} from '../../src/package/pep440.js';
import { NEWEST_PIP, newestPip } from '../support/newest-pip.js';

const pip = await newestPip();

/** pip's own judgement: the packaging library it ships. One Python for all cases. */
function pipSatisfies(folder: string, cases: { version: string; specifier: string }[]): (boolean | null)[] {
  const script = `
import json, sys
sys.path.insert(0, ${JSON.stringify(folder)})
from pip._vendor.packaging.specifiers import SpecifierSet, InvalidSpecifier
from pip._vendor.packaging.version import Version, InvalidVersion
def judge(case):
    try:
        return SpecifierSet(case["specifier"]).contains(Version(case["version"]), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return None
print(json.dumps([judge(case) for case in json.load(sys.stdin)]))`;
  return JSON.parse(
    execFileSync('python3', ['-W', 'ignore', '-c', script], { input: JSON.stringify(cases) }).toString(),
  ) as (boolean | null)[];
}

/** Small ones, which meet often, and such as a rounding to 53 bits would make equal. */
const number = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: 3 }).map(BigInt) },
  fc.constantFrom(20_260_101_123_456_788n, 20_260_101_123_456_789n, 10n ** 30n),
);
const part = <T extends string>(value: fc.Arbitrary<T>) => fc.option(value, { nil: '' as const });
const release = fc.array(number, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
const version = fc
  .tuple(
    part(fc.constantFrom('1!')),
    release,
    part(
      fc
        .tuple(fc.constantFrom('a', 'b', 'rc', '.beta', '-c', 'alpha'), number)
        .map(([letter, n]) => `${letter}${n}`),
    ),
    part(fc.tuple(fc.constantFrom('.post', '-', 'rev', '.r'), number).map(([text, n]) => `${text}${n}`)),
    part(number.map((n) => `.dev${n}`)),
  )
  .map((parts) => parts.join(''));
const withLocal = fc
  .tuple(version, part(fc.constantFrom('+cpu', '+1', '+cpu.2')))
  .map((parts) => parts.join(''));
const clause = fc.oneof(
  fc.tuple(fc.constantFrom('==', '!=', '<=', '>=', '<', '>'), version).map((parts) => parts.join('')),
  fc.tuple(fc.constantFrom('==', '!='), withLocal).map((parts) => parts.join('')),
  fc.tuple(fc.constantFrom('==', '!='), release).map(([operator, text]) => `${operator}${text}.*`),
  fc.tuple(number, release).map(([major, rest]) => `~=${major}.${rest}`),
);
const specifier = fc.array(clause, { minLength: 1, maxLength: 3 }).map((clauses) => clauses.join(','));

test.skipIf('reason' in pip)(
  `specifiers are judged as pip ${NEWEST_PIP} judges them, for 4,000 generated versions and specifiers`,
  () => {
    if ('reason' in pip) return;
    const cases = fc.sample(fc.record({ version: withLocal, specifier }), { numRuns: 4000 });
    const theirs = pipSatisfies(pip.folder, cases);
    const differences = cases
      .map(({ version: found, specifier: wanted }, index) => ({
        found,
        wanted,
        ours: satisfies(found, wanted) ?? null,
        pips: theirs[index] ?? null,
      }))
      .filter(({ ours, pips }) => ours !== pips);
    expect(differences.slice(0, 10)).toEqual([]);
  },
);

test('versions are put in the order of the specification', () => {
  const ordered = [
    '1.0.dev456',
    '1.0a1',
    '1.0a2.dev456',
    '1.0a12.dev456',
    '1.0a12',
    '1.0b1.dev456',
    '1.0b2',
    '1.0b2.post345.dev456',
    '1.0b2.post345',
    '1.0rc1.dev456',
    '1.0rc1',
    '1.0',
    '1.0+abc.5',
    '1.0+abc.7',
    '1.0+5',
    '1.0.post456.dev34',
    '1.0.post456',
    '1.1.dev1',
    '1!0.1',
  ];
  const sorted = [...ordered].reverse().sort((a, b) => {
    const [left, right] = [parseVersion(a), parseVersion(b)];
    return left && right ? compareVersions(left, right) : NaN;
  });
  expect(sorted).toEqual(ordered);
});

test.each(['', 'x', '1.', '1..2', '1.0-', '1.0+', '1 2'])('%j is no version', (text) => {
  expect(parseVersion(text)).toBeUndefined();
});

test.each([
  ['1', { release: [1] }],
  [' v1!2.03 ', { epoch: 1, release: [2, 3] }],
  ['1.0-ALPHA_2', { release: [1, 0], pre: ['a', 2] }],
  ['1.0beta', { release: [1, 0], pre: ['b', 0] }],
  ['1.0c1', { release: [1, 0], pre: ['rc', 1] }],
  ['1.0pre1', { release: [1, 0], pre: ['rc', 1] }],
  ['1.0preview1', { release: [1, 0], pre: ['rc', 1] }],
  ['1.0-3', { release: [1, 0], post: 3 }],
  ['1.0rev', { release: [1, 0], post: 0 }],
  ['1.0.post3', { release: [1, 0], post: 3 }],
  ['1.0.dev', { release: [1, 0], dev: 0 }],
  ['1.0.dev2+1a.A1-07', { release: [1, 0], dev: 2, local: ['1a', 'a1', 7] }],
  ['9007199254740993', { release: [9_007_199_254_740_993n] }],
])('%j is read part by part', (text, parts) => {
  const none = { epoch: 0, pre: undefined, post: undefined, dev: undefined, local: undefined };
  expect(parseVersion(text)).toEqual({ ...none, ...parts });
});

test('a version of 256 characters is read, of one more is not', () => {
  expect(parseVersion('1'.repeat(256))).toBeDefined();
  expect(parseVersion('1'.repeat(257))).toBeUndefined();
});

test.each([
  ['1!2.3a4.post5.dev6+x.7', '1!2.3a4.post5.dev6+x.7'],
  ['v0!01.0-Preview', '1.0rc0'],
  ['1.0', '1.0'],
  ['1.0-1', '1.0.post1'],
])('%s is written as %s', (text, normal) => {
  const parsed = parseVersion(text);
  expect(parsed && formatVersion(parsed)).toBe(normal);
});

test.each([
  ['1.0', '>=1.0', true],
  ['1.0', '<=1.0', true],
  ['1.0+cpu', '<=1.0', true],
  ['1.0', '>1.0', false],
  ['1.0', '<1.0', false],
  ['0.9', '>=1.0', false],
  ['1.1', '<=1.0', false],
  ['1.0a1', '<1.0b1', true],
  ['1.0b1', '<1.0b1', false],
  ['1.0b1.dev1', '<1.0b1', true],
  ['1.0rc1', '<1.0', false],
  ['1.0.dev0', '<1.0', false],
  ['0.9.post1', '<1.0', true],
  ['1.0.dev1', '<1.0.dev2', true],
  ['1.0.post1', '>1.0', false],
  ['1.0+1', '>1.0', false],
  ['1.0.1', '>1.0', true],
  ['1.0', '>1.0a1', true],
  ['1.0a2', '>1.0a1', true],
  ['1.0a1.post1', '>1.0a1', false],
  ['1.0b1', '>1.0a1', true],
  ['1.0.dev2', '>1.0.dev1', true],
  ['1.0.dev1+x', '>1.0.dev1', false],
  ['1.0.post2', '>1.0.post1', true],
  ['1.0.post1+x', '>1.0.post1', false],
  ['1.0.post2.dev0', '>1.0.post1', true],
  ['1!1.0', '>2.0', true],
  ['1!1.0.post1', '>1.0', true],
  ['1.0', '==1', true],
  ['1.0+cpu', '==1.0', true],
  ['1.0', '==1.0+cpu', false],
  ['1.0+cpu.1', '==1.0+cpu', false],
  ['1.0+cpu', '!=1.0', false],
  ['1.1', '!=1.0', true],
  ['1.0.5', '==1.0.*', true],
  ['1.0.dev1', '==1.0.*', true],
  ['1.1.dev0', '==1.0.*', false],
  ['1.1', '!=1.0.*', true],
  ['1.0.1', '!=1.0.*', false],
  ['1!1.0', '==1.*', false],
  ['2.3.9', '~=2.3.1', true],
  ['2.3.0', '~=2.3.1', false],
  ['2.4', '~=2.3.1', false],
  ['2.9', '~=2.3', true],
  ['3.0', '~=2.3', false],
  ['2.3.1', '~=2.3.1', true],
  ['1.0', '===1.0', true],
  ['1.0', '===1.00', false],
  ['1.0+ABC', '===1.0+abc', true],
  ['1.0+abc', '===1.0+ABC', true],
  ['1.5', ' >=1.0 , <2.0 ,', true],
  ['2.5', '>=1.0,<2.0', false],
  ['1.5', '', true],
])('%s meets %j: %s', (found, wanted, isMet) => {
  expect(satisfies(found, wanted)).toBe(isMet);
});

test.each([
  ['a version', 'x', '>=1.0'],
  ['an operator', '1.0', '=1.0'],
  ['a bound', '1.0', '>=x'],
  ['what follows a clause', '1.0', '>=1.0 x'],
  ['a wildcard after >=', '1.0', '>=1.*'],
  ['a local label after >=', '1.0', '>=1.0+cpu'],
  ['one number after ~=', '1.0', '~=1'],
  ['a bound of 257 characters', '1.0', `>=${'1'.repeat(257)}`],
])('%s that cannot be read gives no answer', (_, found, wanted) => {
  expect(satisfies(found, wanted)).toBeUndefined();
});

test.each([
  ['>=1.0a1', true],
  ['>=1.0.dev1', true],
  ['>=1.0', false],
  ['>=1.0,<2.0b1', true],
  ['!=1.0a1', false],
  ['==1.0.*', false],
  ['===1.0a1', true],
  ['===1.0', false],
  ['===nightly', false],
])('%s asks for pre-releases: %s', (text, asks) => {
  expect(namesPreRelease(parseSpecifiers(text) ?? [])).toBe(asks);
});

test.each([
  ['1.0', '1.0.0', 0],
  ['1.0', '1.0+a', -1],
  ['1.0+a', '1.0+a.1', -1],
  ['1.0+a.1', '1.0+a', 1],
  ['1.0+a', '1.0+1', -1],
  ['1.0+1', '1.0+a', 1],
  ['1.0+2', '1.0+10', -1],
  ['1.0+b', '1.0+a', 1],
  ['1.0+a.1', '1.0+a.1', 0],
  ['1.0', '1.0.post0', -1],
  ['20260101123456788', '20260101123456789', -1],
  ['9007199254740992.1', '9007199254740993.0', -1],
])('%s compared with %s is %i', (a, b, order) => {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  expect(left && right && compareVersions(left, right)).toBe(order);
});
