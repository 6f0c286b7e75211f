import { describe, expect, test } from 'vitest';
import {
  commandOf,
  entryPointsFault,
  parseEntryPoints,
  scriptEntries,
} from '../../src/package/entry-points.js';

/** The scripts of a text, or why there are none: as pip 26.3 makes them of it. */
function scriptsOf(text: string): Record<string, string> | string {
  const read = parseEntryPoints(text);
  const fault = entryPointsFault(read);
  if (fault !== undefined) return fault;
  const commands = scriptEntries(read, '3.11.7').map(([name, target]) => commandOf(name, target));
  return Object.fromEntries(commands.map((one) => [one?.name ?? '', `${one?.module}:${one?.attribute}`]));
}

describe('the line of an entry point is read as pip reads it:', () => {
  test.each<[string, Record<string, string>]>([
    ['a = m:f # comment', { a: 'm:f' }],
    ['a = m.n:f.g [extra]', { a: 'm.n:f.g' }],
    ['a = m:f ; python_version > "3"', { a: 'm:f' }],
    ['a\u2028[other]\u2028b = m', {}],
    ['__proto__ = m:f', { ['__proto__']: 'm:f' }],
    ['a b = m:f', { ' b': 'm:f' }],
    ['pip = m:f\npip2 = n:g', { pip: 'm:f', pip3: 'm:f', 'pip3.11': 'm:f' }],
    ['pip =', {}],
    ['1 = m:f\n1 = n:g', { 1: 'n:g' }],
  ])('%j', (lines, expected) => {
    const text = lines.startsWith('a\u2028') ? `[console_scripts]\u2028${lines.slice(2)}` : lines;
    expect(scriptsOf(`[console_scripts]\n${text}\n`)).toEqual(expected);
  });

  test.each([
    'a = m',
    'a = m:f:g',
    'a = m:f]',
    'a = m : f',
    'a : m.f',
    'a : m:f',
    ';',
    '; a comment for ConfigParser',
    'a',
    '[other]\na',
    'a = "m:f"',
    'a =',
    '../a = m:f',
    'a/b = m:f',
  ])('%j makes no script and refuses the wheel', (lines) => {
    expect(scriptsOf(`[console_scripts]\nz = m:f\n${lines}\n`)).toMatch(
      /^has (an entry point that cannot be a script: |a line in entry_points\.txt that is none of)/,
    );
  });

  test('lines before the first section and comments are nobody’s', () => {
    expect(scriptsOf('a\n;\n# b\n[gui_scripts]\n# c\nd = m:f\n')).toEqual({ d: 'm:f' });
  });
});
