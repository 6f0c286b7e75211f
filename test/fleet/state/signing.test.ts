import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readLease, readReported } from '../../../src/fleet/state/read.js';
import { partsOf, refOf } from '../../../src/fleet/state/refs.js';
import { openBar, openDesired, openGroup, signState, trustedKeys } from '../../../src/fleet/state/signing.js';
import type { BarState, DesiredState, GroupState, SignedState } from '../../../src/fleet/state.js';
import { generateSigningKeys } from '../../../src/signing/index.js';

const controller = generateSigningKeys();
const stranger = generateSigningKeys();
const keys = trustedKeys([controller.publicKey]);
const digest = 'a'.repeat(64);

const desired: DesiredState = {
  rev: 3,
  plant: 'north',
  station: 'line 1.a',
  packages: { 'board-check@1.2.0': { digest, sources: ['http://plant:8080'] } },
  products: { A: 'board-check@1.2.0', constructor: 'board-check@1.2.0' },
};
const group: GroupState = {
  ...{ rev: 1, plant: 'north', group: 'first', stations: ['line 1.a'] },
  window: { from: '22:00', to: '05:30', days: [1, 2] },
};
const bar: BarState = {
  ...{ rev: 1, plant: 'north', name: 'board-check', version: '1.2.0' },
  ...{ reason: 'drift', by: 'anna', at: '2026-11-29T08:00:00.000Z' },
};
const expected = { keys, plant: 'north', station: 'line 1.a' };

function sealed(state: object = desired, privateKey = controller.privateKey): SignedState {
  return signState('desired', state as DesiredState, privateKey).value;
}

function refused(reason: RegExp, path = 'desired.line=201=2Ea') {
  return expect.objectContaining({
    code: 'untrusted_state',
    details: expect.objectContaining({ path, reason: expect.stringMatching(reason) as unknown }) as unknown,
  }) as unknown;
}

describe('a signed state', () => {
  test('of the right key, station and plant is accepted, and says where it belongs', () => {
    const { key, value } = signState('desired', desired, controller.privateKey);
    expect(key).toBe('desired.line=201=2Ea');
    expect(openDesired(JSON.parse(JSON.stringify(value)), expected)).toEqual({
      state: desired,
      signed: value,
    });
  });

  test('of a group and of a bar is accepted', () => {
    const [one, two] = [
      signState('group', group, controller.privateKey),
      signState('bar', bar, controller.privateKey),
    ];
    expect(two.key).toBe('bar.board-check.1=2E2=2E0');
    expect(openGroup(one.value, { ...expected, group: 'first' }).state).toEqual(group);
    expect(openBar(two.value, { ...expected, name: 'board-check', version: '1.2.0' }).state).toEqual(bar);
  });

  test('with fields that a newer controller adds is accepted with them', () => {
    const value = sealed({ ...desired, pace: { fast: true } });
    expect(openDesired(value, expected).state).toMatchObject({ pace: { fast: true } });
  });

  test('by another key is refused', () => {
    expect(() => openDesired(sealed(desired, stranger.privateKey), expected)).toThrow(
      refused(/does not trust/),
    );
  });

  test('by another key under the name of a trusted one is refused', () => {
    const value = { ...sealed(desired, stranger.privateKey), key: controller.keyId };
    expect(() => openDesired(value, expected)).toThrow(refused(/signature/));
  });

  test('of another station, plant or kind is refused', () => {
    const other = { ...expected, station: 'line 2' };
    expect(() => openDesired(sealed(), other)).toThrow(refused(/signature/, 'desired.line=202'));
    expect(() => openDesired(sealed({ ...desired, plant: 'south' }), expected)).toThrow(
      refused(/plant south/),
    );
    const asGroup = { ...expected, group: 'line 1.a' };
    expect(() => openGroup(sealed(), asGroup)).toThrow(refused(/signature/, 'group.line=201=2Ea'));
  });

  test('of an older revision is a replay, and one of the same revision must be the same', () => {
    const { signed } = openDesired(sealed(), expected);
    const seen = { rev: 3, body: signed.body };
    expect(openDesired(signed, { ...expected, seen }).state.rev).toBe(3);
    const older = sealed({ ...desired, rev: 2 });
    expect(() => openDesired(older, { ...expected, seen })).toThrow(refused(/revision 2 is older than 3/));
    const twin = sealed({ ...desired, products: {} });
    expect(() => openDesired(twin, { ...expected, seen })).toThrow(refused(/another content/));
  });

  test('with any one character of its body, key or signature changed is refused', () => {
    const value = sealed();
    fc.assert(
      fc.property(fc.constantFrom('body', 'key', 'signature'), fc.nat(), fc.nat(61), (field, at, letter) => {
        const text = value[field];
        const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
        const index = at % text.length;
        const changed = text.slice(0, index) + letters.charAt(letter) + text.slice(index + 1);
        fc.pre(Buffer.from(changed, 'base64').compare(Buffer.from(text, 'base64')) !== 0 && changed !== text);
        expect(() => openDesired({ ...value, [field]: changed }, expected)).toThrow(
          expect.objectContaining({ code: 'untrusted_state' }),
        );
      }),
    );
  });
});

describe('a value of the bucket', () => {
  test('that is any JSON is refused as untrusted, never a crash', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const read of [
          () => openDesired(value, expected),
          () => openBar(value, { ...expected, name: 'x', version: '1' }),
          () => readReported('reported.x', value, expected),
          () => readLease('lease.controller', value),
        ])
          expect(read).toThrow(expect.objectContaining({ code: 'untrusted_state' }));
      }),
    );
  });

  test.each<[string, object, RegExp]>([
    ['rev 0', { rev: 0 }, /rev must be at least 1/],
    ['rev 1.5', { rev: 1.5 }, /rev must be a whole number/],
    ['rev past what a number holds', { rev: 2 ** 60 }, /rev must be a whole number/],
    ['no digest', { packages: { 'a@1': {} }, products: {} }, /packages "a@1" digest is missing/],
    ['a version without a name', { packages: { '@1': { digest } }, products: {} }, /must be name@version/],
    ['a path as a name', { packages: { '../a@1': { digest } }, products: {} }, /must be name@version/],
    ['a product of an unlisted version', { products: { A: 'other@1' } }, /packages does not list/],
    ['a list for a map', { products: [] }, /products must be an object/],
    [
      '__proto__ as a product id',
      JSON.parse('{"products":{"__proto__":"board-check@1.2.0"}}') as object,
      /no name/,
    ],
    [
      'too many products',
      { products: Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [i, 'a@1'])) },
      /at most 10000/,
    ],
  ])('with %s is not signed, and is refused by a station', (_, change, reason) => {
    const state = { ...desired, ...change };
    expect(() => signState('desired', state, controller.privateKey)).toThrow(
      expect.objectContaining({ code: 'invalid_params', message: expect.stringMatching(reason) as unknown }),
    );
  });

  test.each<[string, object]>([
    ['from 25:00', { window: { from: '25:00', to: '05:00' } }],
    ['a day 7', { window: { from: '22:00', to: '05:00', days: [7] } }],
    ['max_unavailable 0', { max_unavailable: 0 }],
    ['max_unavailable 0%', { max_unavailable: '0%' }],
  ])('of a group with %s is not signed', (_, change) => {
    expect(() => signState('group', { ...group, ...change }, controller.privateKey)).toThrow(
      expect.objectContaining({ code: 'invalid_params' }),
    );
  });

  test('that is a body past its bound is refused before anything is parsed', () => {
    const value = { ...sealed(), body: ' '.repeat(600_000) };
    expect(() => openDesired(value, expected)).toThrow(refused(/at most 524288 characters/));
  });
});

test('a reference is read back from any name and version that it takes', () => {
  expect(partsOf(refOf('a@b', '1.0+x'))).toEqual({ name: 'a@b', version: '1.0+x' });
  expect(() => refOf('a', '1@2')).toThrow(expect.objectContaining({ code: 'invalid_params' }));
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (name, version) => {
      let ref: string;
      try {
        ref = refOf(name, version);
      } catch {
        return;
      }
      expect(partsOf(ref)).toEqual({ name, version });
    }),
  );
});
