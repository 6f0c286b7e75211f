import fc from 'fast-check';
import { expect, test } from 'vitest';
import { choicesOf } from '../../src/parameters/pattern-choices.js';
import { pythonPattern } from '../../src/parameters/python-pattern.js';

test.each([
  ['BOARD-7', 1],
  ['[A-Z]{3}\\d{4}', 1],
  ['[A-Z]+\\d*', 11 * 11],
  ['a{2,5}b{3,}', 4 * 11],
  ['(SN|PN)-\\d{4,8}', 2 * 5],
  ['(?P<site>A|B|C)(-[a-z]?)?', 3 * (2 + 1)],
  ['(?:a|b|cd?){3}', 4 ** 3],
  ['[]+*?]x?', 2],
  ['\\(a\\)\\+', 1],
  ['.*?,.*', 11 * 11],
])('%s has as many ways through ten characters as its parts let it choose', (pattern, ways) => {
  expect(choicesOf(pythonPattern(pattern)?.source ?? '?', 10)).toBe(ways);
});

test.each([
  ['(a+)+b'],
  ['(a|a)*b'],
  ['(a|ab){1,30}'],
  ['(?=a+)b'],
  ['(?<!a)b'],
  ['(a+)\\1'],
  ['(?P<x>a)(?P=x)'],
  ['((a{2}){3,})'],
  ['('.repeat(600) + ')'.repeat(600)],
])('%s is not counted: its ways have no bound that is known', (pattern) => {
  expect(choicesOf(pythonPattern(pattern)?.source ?? '?', 10)).toBe(Infinity);
});

/** Tries every way through a text, one by one, for patterns of letters, groups and repetitions; counts its attempts. */
type Node =
  | { kind: 'letter'; letter: string; least: number; most: number }
  | { kind: 'group'; of: Node[][]; isOptional: boolean };

function waysThrough(nodes: readonly Node[], text: string, at: number, then: (at: number) => void): void {
  const [first, ...rest] = nodes;
  if (!first) {
    then(at);
    return;
  }
  const goOn = (next: number) => {
    waysThrough(rest, text, next, then);
  };
  if (first.kind === 'group') {
    for (const one of first.of) waysThrough(one, text, at, goOn);
    if (first.isOptional) goOn(at);
    return;
  }
  for (let count = 0; count <= Math.min(first.most, text.length - at); count++) {
    if (count > 0 && text[at + count - 1] !== first.letter) return;
    if (count >= first.least) goOn(at + count);
  }
}

const letter = fc
  .record({ letter: fc.constantFrom('a', 'b'), least: fc.nat(2), more: fc.constantFrom(0, 1, 3, Infinity) })
  .map(({ letter: one, least, more }): Node => ({ kind: 'letter', letter: one, least, most: least + more }));
const sequence = fc.letrec<{ nodes: Node[]; node: Node }>((tie) => ({
  nodes: fc.array(tie('node'), { maxLength: 3 }),
  node: fc.oneof(
    { depthSize: 'small' },
    letter,
    fc
      .record({ of: fc.array(tie('nodes'), { minLength: 1, maxLength: 3 }), isOptional: fc.boolean() })
      .map(({ of, isOptional }): Node => ({ kind: 'group', of, isOptional })),
  ),
})).nodes;

const written = (nodes: readonly Node[]): string =>
  nodes
    .map((node) =>
      node.kind === 'group'
        ? `(${node.of.map(written).join('|')})${node.isOptional ? '?' : ''}`
        : `${node.letter}{${node.least},${node.most === Infinity ? '' : node.most}}`,
    )
    .join('');

test('a matcher that tries every way through a text has no more of them than are counted', () => {
  fc.assert(
    fc.property(sequence, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), (nodes, text) => {
      let ways = 0;
      waysThrough(nodes, text, 0, () => ways++);
      expect(choicesOf(`^(?:${written(nodes)})$`, text.length)).toBeGreaterThanOrEqual(ways);
    }),
  );
});
