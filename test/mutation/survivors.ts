/** A mutant that behaves as the source does, and why. */
export interface Equivalent {
  file: string;
  /** A part of its line. */
  source: string;
  from: string;
  to: string;
  reason: string;
}

const of =
  (file: string) =>
  (source: string, from: string, to: string, reason: string): Equivalent => ({
    ...{ file, source, from, to, reason },
  });

const codec = of('src/worker/frame-codec.ts');
const circuit = of('src/supervisor/pool/restart-policy.ts');
const upkeep = of('src/supervisor/pool/pool-upkeep.ts');
const RUNNER_ERROR =
  'The launcher makes a RunnerError of every failure: the question is there for the type checker.';
const RUN_OR_CANCELLED = 'To cancel what has run, or was cancelled, does nothing.';
const NO_PROBE = 'A halt has cancelled the probe, and a pool has one place at least.';
const ALWAYS_MATCHED = 'What matches has one of these parts: the default is there for the type checker.';
const NOT_USED = 'With no id left the mappings are read and looked at by nobody.';
const COMES_ANEW =
  'A file that comes back has another time of its last change, and is looked at anew: what was known takes memory alone.';
const UNEQUAL = 'Equal ones have been told apart before.';
const NUMBER_AND_TEXT =
  'A number is never less than a text of letters in JavaScript, so it comes after it all the same.';
const pep440 = of('src/package/pep440.ts');
const pep508 = of('src/package/pep508.ts');
const canaries = of('src/supervisor/switching/canaries.ts');
const discovery = of('src/deploy/discovery/discovery.ts');
const probation = of('src/supervisor/switching/probation.ts');
const wheelName = of('src/package/wheel-name.ts');
const NEVER_UNDEFINED = 'The index is inside the list: the default is there for the type checker.';
const TESTED_AGAIN =
  'The key is tested on fewer bytes. Where it does not match yet, the bytes wait all the same, and are tested again.';
const SET_BEFORE_READ = 'Set before it is first read.';

export const EQUIVALENT: readonly Equivalent[] = [
  codec('#length = 0', '0', '1', SET_BEFORE_READ),
  codec('#isSkipping = false', 'false', 'true', SET_BEFORE_READ),
  codec(
    'this.#missing = zero === -1',
    'zero === -1',
    'true',
    'The zero byte is looked at again and again until nothing is missing: slower, with the same items.',
  ),
  codec(
    'stray = head = 0',
    'stray = head = 0;',
    '(removed)',
    'The brace is found once more, in the joined bytes, and refused then. `stray` is 0 already where a frame goes on.',
  ),
  codec('if (head !== -1) handOut(head)', 'head !== -1', 'true', 'Handing out to -1 hands nothing out.'),
  codec('if (head !== -1) handOut(head)', '1', '2', 'Handing out to -1 hands nothing out.'),
  codec('(bytes[head] ?? 0)', '0', '1', NEVER_UNDEFINED),
  codec('bytes.length - at < LOOKED_AT', 'bytes.length - at < LOOKED_AT', 'false', TESTED_AGAIN),
  codec('bytes.length - at < LOOKED_AT', 'bytes.length - at', 'bytes.length + (at)', TESTED_AGAIN),
  codec(
    'at < near',
    'at < near',
    'at <= (near)',
    'A brace just past the near part is found by the search in C as well.',
  ),
  codec('near === bytes.length', 'near === bytes.length', 'false', 'A search from the end finds nothing.'),
  codec(
    'from < bytes.length',
    'from < bytes.length',
    'from <= (bytes.length)',
    'Past the end there is no byte over 7.',
  ),
  codec('(bytes[from] ?? 0)', '0', '1', NEVER_UNDEFINED),
  wheelName(
    "const { name = '', version = '', build",
    "''",
    '"mutant"',
    'A name that matches has all of these parts: the default is there for the type checker.',
  ),
  circuit('#openedAt = 0', '0', '1', SET_BEFORE_READ),
  pep440('BigInt(digits ?? 0)', '0', '1', 'Where there are no digits the number 0 has been returned before.'),
  pep440("release = ''", "''", '"mutant"', ALWAYS_MATCHED),
  pep440("bound ?? ''", "''", '"mutant"', ALWAYS_MATCHED),
  pep440("order ?? ''", "''", '"mutant"', ALWAYS_MATCHED),
  pep440(
    'formatVersion(version).toLowerCase()',
    'formatVersion(version).toLowerCase()',
    'formatVersion(version)',
    'A version in its normal form has no upper case: its letters are lowered when it is read.',
  ),
  pep440(
    'compareVersions(version, wanted) <= 0 || isSame',
    'compareVersions(version, wanted) <= 0',
    'compareVersions(version, wanted) < (0)',
    'Versions that compare as equal are the same, which is asked next.',
  ),
  pep440(
    'if (compareVersions(version, wanted) <= 0) return false',
    'compareVersions(version, wanted) <= 0',
    'compareVersions(version, wanted) < (0)',
    'An equal version has the release and the pre-release of the wanted one, which is refused below.',
  ),
  pep440('next(release.at(-1) ?? 0)', '0', '1', NEVER_UNDEFINED),
  pep440("pre?.[0] ?? ''", "''", '"mutant"', 'Neither is a letter of a pre-release.'),
  pep440('rank = {', '4', '5', 'Any number above that of rc.'),
  pep440(
    'pre?.[1] ?? 0',
    '0',
    '1',
    'Compared with versions of the same rank alone, which have no pre-release either.',
  ),
  pep440('post ?? -1', '1', '2', 'Any number below 0, which is the least of a post-release.'),
  pep440(
    'index < Math.max(a.length, b.length)',
    'index < Math.max(a.length, b.length)',
    'index <= (Math.max(a.length, b.length))',
    'Past the end of both there is nothing on either side: equal.',
  ),
  pep440('return left < right ? -1 : 1', 'left < right', 'left <= (right)', UNEQUAL),
  pep440('if (left !== right) return left < right ? -1 : 1', 'left < right', 'left <= (right)', UNEQUAL),
  pep440(
    "typeof right === 'string'",
    "typeof right === 'string'",
    "typeof right !== ('string')",
    NUMBER_AND_TEXT,
  ),
  pep440("typeof right === 'string'", "'string'", '""', NUMBER_AND_TEXT),
  pep508(
    'BLANKS.exec(this.text)',
    '0',
    '1',
    'No blank is matched as well: the default is there for the type checker.',
  ),
  pep508(
    'found?.length ?? 0',
    '0',
    '1',
    'Where a token is missed the whole text is refused: nobody reads on.',
  ),
  pep508('kind === undefined ||', 'kind === undefined || value === undefined', 'false', ALWAYS_MATCHED),
  pep508(
    'kind === undefined ||',
    'kind === undefined || value === undefined',
    'kind === undefined && (value === undefined)',
    ALWAYS_MATCHED,
  ),
  pep508(
    "written.replace(ESCAPE, ''))",
    "''",
    '"mutant"',
    'None of the characters that are looked for is in either of them.',
  ),
  pep508("eight ?? ''", "''", '"mutant"', ALWAYS_MATCHED),
  pep508('(OLD_NAMES[token.value]', "''", '"mutant"', 'Neither is the name of a variable.'),
  pep508(
    'variable === undefined ? undefined',
    'variable === undefined',
    'false',
    'No environment has a variable that is called undefined.',
  ),
  pep508(
    "(left.text ?? '')",
    "''",
    '"mutant"',
    'An operand that is no variable has a text: the default is for the type checker.',
  ),
  canaries(
    'if (this.#running.size === 0)',
    'this.#running.size === 0',
    'false',
    'The loop below goes over nothing then.',
  ),
  canaries(
    'this.#waysBack.delete(back)',
    'this.#waysBack.delete(back);',
    '(removed)',
    'A way back that has ended is waited for in no time: it takes memory, and nothing else.',
  ),
  canaries('const active = left.length > 0', 'left.length > 0', 'true', NOT_USED),
  canaries('const active = left.length > 0', 'left.length > 0', 'left.length >= (0)', NOT_USED),
  canaries(
    'outcome && probation.called(outcome, 0)',
    '0',
    '1',
    'The time of a call that failed is counted nowhere.',
  ),
  upkeep('const failure = RunnerError.is(error)', 'RunnerError.is(error)', 'true', RUNNER_ERROR),
  upkeep('if (RunnerError.is(error)) slot.lastError', 'RunnerError.is(error)', 'true', RUNNER_ERROR),
  upkeep('this.#cancelProbe = undefined', 'this.#cancelProbe = undefined;', '(removed)', RUN_OR_CANCELLED),
  upkeep('this.#isHalted || !slot', 'this.#isHalted || !slot', 'false', NO_PROBE),
  upkeep('this.#isHalted || !slot', 'this.#isHalted || !slot', 'this.#isHalted && (!slot)', NO_PROBE),
  upkeep(
    'if (!ready) return',
    '!ready',
    'false',
    'A worker is told of once it is ready: for the type checker.',
  ),
  upkeep(
    'if (!successor) return',
    '!successor',
    'false',
    'Asked before, by all who call it: for the type checker.',
  ),
  discovery(
    'await namesIn(zips)',
    '(await namesIn(zips)).sort()',
    '(await namesIn(zips))',
    'Node reads a folder sorted on POSIX (libuv): the sort is for Windows.',
  ),
  discovery(
    'path.dirname(file) === zips',
    'path.dirname(file) === zips && !present.has(file)',
    'false',
    COMES_ANEW,
  ),
  discovery('this.#known.delete(file)', 'this.#known.delete(file);', '(removed)', COMES_ANEW),
  discovery(
    'const isListed = entries.some',
    'entries.some((entry) => entry.name === name && entry.version === version)',
    'entries.every((entry) => entry.name === name && entry.version === version)',
    'What is listed is left alone by the look at the registry that follows: slower, with the same answer.',
  ),
  probation(
    'this.#latency = new LatencyWindow(',
    'this.#test',
    'true',
    'Without a test the trial ends with `calls` calls: a longer window has the same answers in it.',
  ),
  probation(
    'this.#calls === 0 ? undefined',
    'this.#calls === 0',
    'false',
    'A share of no calls is no number, which is above no limit; a test without calls speaks against nobody.',
  ),
];
