import { describe, expect, test } from 'vitest';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { chooseByUs, writeSet } from '../support/pip-choices.js';
import { temporaryFolder } from '../support/temp-folder.js';

const interpreter = await new VenvManager().select({});
const facts = await new FactsCache().get(interpreter);
const { abi, platform } = interpreter;

/** A wheel by its file name, with lines of METADATA besides name and version. */
type Wheels = Record<string, string[]>;

async function chooseFrom(wheels: Wheels, requirements: string, constraints = '') {
  const files = Object.entries(wheels).map(([file, lines]) => {
    const [name = '', version = ''] = file.split('-');
    const says = lines.some((line) => line.startsWith('Name:')) ? [] : [`Name: ${name}`];
    const metadata = ['Metadata-Version: 2.1', ...says, `Version: ${version}`, ...lines, '', ''];
    return [file.endsWith('.whl') ? file : `${file}-py3-none-any.whl`, metadata.join('\n')] as const;
  });
  const set = { wheels: Object.fromEntries(files), requirements, constraints };
  return chooseByUs(await writeSet(await temporaryFolder(), set), { interpreter, facts });
}

const needs = (...requirements: string[]) => requirements.map((line) => `Requires-Dist: ${line}`);

/** The rules are those of pip 26.3, which the generated sets hold against pip itself. */
describe('chooses, as pip does,', () => {
  test.each<[string, Wheels, string, string[], string?]>([
    ['the latest version', { 'a-1.9': [], 'a-1.10': [], 'a-2.0': [] }, 'a<2', ['a-1.10']],
    ['the later pre-release with --pre', { 'a-1.0': [], 'a-2.0rc1': [] }, '--pre\na', ['a-2.0rc1']],
    ['a final release before a later pre-release', { 'a-1.0': [], 'a-2.0rc1': [] }, 'a', ['a-1.0']],
    ['a pre-release where there is nothing else', { 'a-2.0rc1': [] }, 'a>=1', ['a-2.0rc1']],
    [
      'a pre-release for a specifier that names one',
      { 'a-1.0': [], 'a-2.0rc1': [] },
      'a>=1.0a1',
      ['a-2.0rc1'],
    ],
    [
      'the build with the higher number and text',
      { 'a-1.0-1b-py3-none-any.whl': [], 'a-1.0-1a-py3-none-any.whl': [], 'a-1.0': [] },
      'a',
      ['a-1.0-1b-py3-none-any.whl'],
    ],
    [
      'the wheel that was built for this system',
      { [`a-1-${abi}-${abi}-${platform}.whl`]: [], 'a-1': [] },
      'a',
      [`a-1-${abi}-${abi}-${platform}.whl`],
    ],
    [
      'what markers and extras that hold ask for',
      {
        'a-1': [
          ...needs(
            'b; python_version >= "3"',
            'c; python_version < "3"',
            'D_d>=1; extra == "more"',
            'e; extra == "less"',
          ),
          'Provides-Extra: more',
        ],
        'b-1': [],
        'c-1': [],
        'd.d-1': [],
        'e-1': [],
      },
      'a[more, unheard]',
      ['d.d-1', 'b-1', 'a-1'],
    ],
    [
      'an earlier version where a later one does not go with others',
      { 'a-1': [], 'a-2': [], 'b-1': needs('a<2') },
      'a\nb',
      ['a-1', 'b-1'],
    ],
    [
      'a version that both sides of a diamond take',
      {
        'a-1': needs('b', 'c'),
        'b-2': needs('d>=2'),
        'b-1': needs('d'),
        'c-1': needs('d<2'),
        'd-1': [],
        'd-2': [],
      },
      'a',
      ['d-1', 'c-1', 'b-1', 'a-1'],
    ],
    ['projects that need each other', { 'a-1': needs('b'), 'b-1': needs('a') }, 'a', ['b-1', 'a-1']],
    ['a version within the constraints', { 'a-1': [], 'a-2': [] }, 'a', ['a-1'], 'A<2'],
    [
      'without constraints whose markers do not hold',
      { 'a-1': [], 'a-2': [] },
      'a',
      ['a-2'],
      'a<2; python_version < "3"',
    ],
    [
      'a wheel of which an extra that nobody asks for needs a URL',
      { 'a-1': [...needs('b @ https://example.org/b.whl ; extra == "all"'), 'Provides-Extra: all'] },
      'a',
      ['a-1'],
    ],
    [
      'the earlier version where the later has a requirement that cannot be read',
      { 'a-1': [], 'a-2': needs('b>=5.1.*') },
      'a',
      ['a-1'],
    ],
    [
      'the wheel of a hash',
      { 'a-1': [], 'a-2': [] },
      'a==1 --hash=sha256:@SHA256 a-1-py3-none-any.whl@',
      ['a-1'],
    ],
    [
      'the wheel that a URL with its hash names',
      { 'a-1': [], 'a-2': [] },
      'a @ file:///elsewhere/a-1-py3-none-any.whl#sha256=@SHA256 a-1-py3-none-any.whl@',
      ['a-1'],
    ],
    [
      'the wheel that the URL of another wheel names, with its hash',
      {
        'b-1': [],
        'b-2': [],
        'a-1': needs('b @ https://example.org/b-1-py3-none-any.whl#sha256=@SHA256 b-1-py3-none-any.whl@'),
      },
      'a',
      ['b-1', 'a-1'],
    ],
    [
      'nothing for a dependency whose marker compares with a star, which is no version',
      { 'a-1': needs('b; python_version >= "3.8.*"'), 'b-1': [] },
      'a',
      ['a-1'],
    ],
    [
      'first what needs nothing, not even a Python, then by name from the end',
      { 'a-1': [], 'b-1': ['Requires-Python: >=3'], 'c-1': [] },
      'a\nb\nc',
      ['c-1', 'a-1', 'b-1'],
    ],
  ])('%s', async (_, wheels, requirements, expected, constraints) => {
    const answer = await chooseFrom(
      wheels,
      `${requirements}\n`,
      constraints === undefined ? '' : `${constraints}\n`,
    );
    expect(answer).toHaveProperty('chosen');
    const files =
      'chosen' in answer ? answer.chosen.map(([file]) => file.replace(/-py3-none-any\.whl$/, '')) : [];
    expect(files).toEqual(expected.map((file) => file.replace(/-py3-none-any\.whl$/, '')));
  });

  test('marks what a requirement names, and writes projects as they are required', async () => {
    const answer = await chooseFrom({ 'a-1': needs('B.b'), 'b_b-1': [] }, 'A\n');
    expect(answer).toMatchObject({
      chosen: [
        ['b_b-1-py3-none-any.whl', false, 'B.b'],
        ['a-1-py3-none-any.whl', true, 'A'],
      ],
    });
  });

  test('and warns of what it warns of', async () => {
    const answer = await chooseFrom({ 'a-1': [], 'a-2': needs('b>=5.1.*') }, 'a[fast]\n');
    expect(answer.warnings).toEqual([
      `a-2-py3-none-any.whl is passed over, as pip does: its requirement "b>=5.1.*" cannot be read`,
      `a 1 does not provide the extra 'fast'`,
    ]);
  });
});

describe('refuses, with its code and the words of pip,', () => {
  test.each<[string, Wheels, string, string, RegExp, string?]>([
    [
      'a project without a wheel',
      { 'a-1': needs('gone') },
      'a',
      'wheels_missing',
      /gone is required by a-1-py3-none-any\.whl and there is no wheel of it/,
    ],
    [
      'a version that no wheel has',
      { 'a-1': [] },
      'a>1',
      'wheels_missing',
      /a>1 is required and there is only a-1-py3-none-any\.whl/,
    ],
    [
      'wheels for another Python',
      { 'a-1-cp27-cp27m-win32.whl': [] },
      'a',
      'incompatible_python',
      /a-1-cp27-cp27m-win32\.whl cannot be used by Python/,
    ],
    [
      'a wheel that asks for another Python',
      { 'a-1': ['Requires-Python: <3'] },
      'a',
      'incompatible_python',
      /asks for <3, and this is Python .* The wheels ask for Python <3/,
    ],
    [
      'a hash that no wheel has',
      { 'a-1': [] },
      `a==1 --hash=sha256:${'0'.repeat(64)}`,
      'install_failed',
      /none of the hashes that are required of a/,
    ],
    [
      'a requirement without a hash beside one with',
      { 'a-1': [], 'b-1': [] },
      'b\na==1 --hash=sha256:@SHA256 a-1-py3-none-any.whl@',
      'install_failed',
      /all need one, and b has none: add --hash=sha256/,
    ],
    [
      'versions that do not go together',
      { 'a-1': [], 'a-2': [] },
      'a==1\na==2',
      'install_failed',
      /do not go together: requirements\.txt asks for a==1, requirements\.txt asks for a==2/,
    ],
    [
      'a requirement that the constraints leave nothing of',
      { 'a-1': [] },
      'a',
      'wheels_missing',
      /a is required, within the constraints/,
      'a>1',
    ],
    [
      'a URL without a hash',
      { 'b-1': [], 'a-1': needs('b @ https://example.org/b-1-py3-none-any.whl') },
      'a',
      'install_failed',
      /would go outside the package: a-1-py3-none-any\.whl asks for b @ https/,
    ],
    [
      'a URL to a wheel whose METADATA is of another project, beside a wheel that suits the rest, and searches no longer',
      { 'a-1': [], 'a-3': ['Name: other'], 'a-2': [] },
      'a\na>1\na @ file:///elsewhere/a-3-py3-none-any.whl#sha256=@SHA256 a-3-py3-none-any.whl@',
      'install_failed',
      /do not go together: .* asks for a @ file:.*, whose METADATA is of another project or version/,
    ],
    [
      'such a URL of another wheel',
      {
        'b-3': ['Name: other'],
        'a-1': needs('b @ https://example.org/b-3-py3-none-any.whl#sha256=@SHA256 b-3-py3-none-any.whl@'),
        'b-2': [],
      },
      'a',
      'wheels_missing',
      /b @ https:.*, whose METADATA is of another project or version is required by a-1/,
    ],
    [
      'the only wheel, whose requirement cannot be read',
      { 'a-2': needs('b>=5.1.*') },
      'a',
      'wheels_missing',
      /only a-2-py3-none-any\.whl\. a-2-py3-none-any\.whl is passed over/,
    ],
  ])('%s', async (_, wheels, requirements, code, message, constraints) => {
    const answer = await chooseFrom(
      wheels,
      `${requirements}\n`,
      constraints === undefined ? '' : `${constraints}\n`,
    );
    expect(answer).toMatchObject({ failed: code, why: expect.stringMatching(message) as string });
    expect('why' in answer ? answer.why.split('\n').length : 0).toBeLessThanOrEqual(10);
  });
});

test('a search without end ends, and leaves room for others', async () => {
  const names = Array.from({ length: 14 }, (_, n) => `p${n}`);
  const wheels: Wheels = {};
  for (const [place, name] of names.entries()) {
    for (let version = 1; version <= 30; version++) {
      const others = names.filter((_, other) => other > place).map((other) => `${other}!=${version}`);
      wheels[`${name}-${version}`] = needs(...others, `gone${version % 2}>${version}`);
    }
  }
  wheels['gone0-1'] = [];
  wheels['gone1-1'] = [];
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const answer = await chooseFrom(wheels, `${names.join('\n')}\n`);
  clearInterval(timer);
  expect(answer).toHaveProperty('failed');
  expect(turns).toBeGreaterThan(0);
});
