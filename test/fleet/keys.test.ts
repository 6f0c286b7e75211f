import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyOf, nameOf, namesIn, tokenOf } from '../../src/fleet/keys.js';

/** Texts of Unicode, hard ones among them: dots, blanks, wildcards, `=`, Chinese, and what looks like an escape. */
const names = fc.oneof(
  fc.string({ minLength: 1, unit: 'binary' }),
  fc.string({
    minLength: 1,
    unit: fc.constantFrom('.', ' ', '=', '*', '>', '2', 'E', '\u0000', '板', 'a', '$'),
  }),
);

describe('a token of a name', () => {
  test.each([
    ['1.2.0', '1=2E2=2E0'],
    ['board check', 'board=20check'],
    ['板', '=E6=9D=BF'],
    ['=2E', '=3D2E'],
    ['a_b-C9', 'a_b-C9'],
  ])('of %j is %j', (name, token) => {
    expect(tokenOf(name)).toBe(token);
    expect(nameOf(token)).toBe(name);
  });

  test('of any name is read back, and is what NATS takes as one token of a key and of a subject', () => {
    fc.assert(
      fc.property(names, (name) => {
        const token = tokenOf(name);
        expect(token).toMatch(/^[A-Za-z0-9_=-]+$/);
        expect(nameOf(token)).toBe(name);
      }),
    );
  });

  test('of two names is never the same', () => {
    fc.assert(
      fc.property(names, names, (a, b) => {
        fc.pre(a !== b);
        expect(tokenOf(a)).not.toBe(tokenOf(b));
      }),
    );
  });

  test.each(['', '\ud800', 'a\udfffb'])('of %j is refused: it is no name', (name) => {
    expect(() => tokenOf(name)).toThrow(expect.objectContaining({ code: 'invalid_params' }));
  });

  test('that is not in its one form is read as none', () => {
    for (const token of ['', 'a.b', '=2e', '=41', '=ZZ', '=E6=9D', '=FF', 'a b', '*', '>', '='])
      expect([token, nameOf(token)]).toEqual([token, undefined]);
  });
});

test('names in a key are read back, and a key of another kind has none', () => {
  fc.assert(
    fc.property(fc.array(names, { minLength: 1, maxLength: 3 }), (list) => {
      const key = keyOf('bar', ...list);
      expect(namesIn(key, 'bar')).toEqual(list);
      expect(namesIn(key, 'desired')).toBeUndefined();
    }),
  );
});

test('keys of two lists of names are never the same', () => {
  const lists = fc.array(names, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(lists, lists, (a, b) => {
      fc.pre(JSON.stringify(a) !== JSON.stringify(b));
      expect(keyOf('bar', ...a)).not.toBe(keyOf('bar', ...b));
    }),
  );
});
