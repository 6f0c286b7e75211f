import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { satisfies } from '../../src/package/pep440.js';
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
