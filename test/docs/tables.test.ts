import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import type { CommandSpec } from '../../src/cli/spec.js';
import { DEFAULT_PROBATION, DEFAULT_SUPERVISOR_POLICY, ERROR_NUMBERS } from '../../src/index.js';
import { DEFAULT_ARCHIVE_LIMITS } from '../../src/package/archive.js';
import { readPage } from '../support/doc-snippets.js';

/** The rows of the table behind `<!-- table: name -->`, as their first two cells. */
function rowsOf(page: string, name: string): [string, string][] {
  const [, after = ''] = readPage(page).split(`<!-- table: ${name} -->\n`);
  const [table = ''] = after.split('\n\n');
  return table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [, first = '', second = ''] = line.split('|');
      return [first.trim(), second.trim()];
    });
}

/** A default as a table writes it. */
function written(value: unknown): string {
  if (value === undefined) return 'none';
  if (Array.isArray(value)) return value.join(', ') || 'none';
  if (typeof value === 'object' && value !== null) return 'none';
  return JSON.stringify(value);
}

test.each([
  ['docs/supervising.md', 'policy', DEFAULT_SUPERVISOR_POLICY],
  ['docs/supervising.md', 'probation', DEFAULT_PROBATION],
  ['docs/security.md', 'limits', DEFAULT_ARCHIVE_LIMITS],
])('%s has every option of its table "%s" with its default', (page, name, defaults) => {
  const expected = Object.entries(defaults).map(([option, value]) => [`\`${option}\``, written(value)]);
  expect(rowsOf(page, name).sort()).toEqual(expected.sort());
});

test('docs/operations.md says for every code what to do', () => {
  const codes = rowsOf('docs/operations.md', 'codes').map(([code]) => code);
  const expected = Object.entries(ERROR_NUMBERS).map(([code, number]) =>
    number?.startsWith('2') && code !== 'already_installed' && code !== 'version_in_use'
      ? `\`${code}\` (${number})`
      : `\`${code}\``,
  );
  expect(codes).toEqual(expected);
});

test('CONTRIBUTING.md has every script of package.json in its table', () => {
  const { scripts } = JSON.parse(readPage('package.json')) as { scripts: Record<string, string> };
  const rows = readPage('CONTRIBUTING.md')
    .split('\n')
    .filter((line) => line.startsWith('| `npm '));
  const named = rows
    .flatMap((row) => [...row.matchAll(/`(?:npm (?:run )?)?([\w:-]+)/g)])
    .map(([, name]) => name);
  const missing = Object.keys(scripts).filter((name) => !/^pre|^post/.test(name) && !named.includes(name));
  expect(missing).toEqual([]);
});

test('docs/command-line.md names every command, and every option of each', () => {
  const page = readPage('docs/command-line.md');
  const isNamed = ({ name }: CommandSpec) =>
    page.includes(`\`${name}`) || new RegExp(`runner ${name}\\s`).test(page);
  expect(COMMANDS.filter((command) => !isNamed(command)).map(({ name }) => name)).toEqual([]);
  const [, after = ''] = page.split('<!-- table: options -->\n');
  const rows = (after.split('\n\n')[0] ?? '').split('\n').filter((row) => row.startsWith('| `'));
  const written = rows.map((row) =>
    row
      .slice(2, -2)
      .replace(/ +\| +/, ' | ')
      .trim(),
  );
  const expected = COMMANDS.filter(({ options = [] }) => options.length > 0).map(
    ({ name, options = [] }) =>
      `\`${name}\` | ${options.map(({ usage }) => `\`${usage.replaceAll('|', '\\|')}\``).join(', ')}`,
  );
  expect(written).toEqual(expected);
});

test('what the pages and the findings of the doctor name as `policy.…` is an option of the policy', async () => {
  const findings = (await readdir('src/runner/doctor/kinds')).map(
    (file) => `src/runner/doctor/kinds/${file}`,
  );
  const pages = (await readdir('docs')).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`);
  const named = ['README.md', ...pages, ...findings].flatMap((file) =>
    [...readPage(file).matchAll(/\bpolicy\.([a-zA-Z]+)/g)].map(([, option = '']) => option),
  );
  // A finding that is called so.
  const known = [...Object.keys(DEFAULT_SUPERVISOR_POLICY), 'invalid'];
  expect(named.length).toBeGreaterThan(20);
  expect([...new Set(named)].filter((option) => !known.includes(option))).toEqual([]);
});

test('package.json has each key of its top level and each script once: JSON.parse hides the first of two', () => {
  const keys = [...readPage('package.json').matchAll(/^( {2}| {4})"([^"]+)": /gm)].map(
    ([, indent = '', key]) => [indent.length, key],
  );
  let section: unknown;
  const paths = keys.map(([depth, key]) => {
    if (depth === 2) section = key;
    return depth === 2 ? String(key) : `${String(section)} ${String(key)}`;
  });
  expect(paths.length).toBeGreaterThan(50);
  expect(paths.filter((one, at) => paths.indexOf(one) !== at)).toEqual([]);
});
