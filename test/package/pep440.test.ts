import { expect, test } from 'vitest';
import {
  compareVersions,
  formatVersion,
  namesPreRelease,
  parseSpecifiers,
  parseVersion,
  satisfies,
} from '../../src/package/pep440.js';

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
  ['2.0', '>=1.0', true],
  ['1.0', '<=1.0', true],
  ['1.0+cpu', '<=1.0', true],
  ['1.0', '>1.0', false],
  ['0.9', '>1.0', false],
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
  ['1.0+cpu', '==1.0+cpu', true],
  ['1.0+cpu.1', '==1.0+cpu', false],
  ['1.0+cpu', '!=1.0', false],
  ['1.1', '!=1.0', true],
  ['1.0.5', '==1.0.*', true],
  ['1.0.dev1', '==1.0.*', true],
  ['1.0.dev0', '==1.0.*', true],
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
  ['1.1', '1.0', 1],
  ['1.0.dev456', '1.0a0.dev1', -1],
  ['1.0+a.b', '1.0+a', 1],
  ['1.0+1', '1.0+9007199254740993', -1],
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
