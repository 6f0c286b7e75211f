import { expect, test } from 'vitest';
import { chooseWithoutPip } from '../../src/python/choice/choose-without-pip.js';
import type { WheelSource } from '../../src/testing/index.js';
import { hashesOf, installationOf } from '../support/installation.js';

const wheel = (version: string, more: Partial<WheelSource> = {}): WheelSource => ({
  name: 'lens',
  version,
  ...more,
});

/** By the rules of pip: a specifier that names a pre-release admits them, and a build tag is a number and a text (PEP 427). */
test.each<[string, WheelSource[], string, string]>([
  [
    '--pre takes the later pre-release',
    [wheel('1.0'), wheel('2.0rc1')],
    '--pre\nlens\n',
    'lens-2.0rc1-py3-none-any.whl',
  ],
  ['without it the final release', [wheel('1.0'), wheel('2.0rc1')], 'lens\n', 'lens-1.0-py3-none-any.whl'],
  [
    'a specifier that names a pre-release takes one',
    [wheel('1.0'), wheel('2.0rc1')],
    'lens>=1.0a1\n',
    'lens-2.0rc1-py3-none-any.whl',
  ],
  [
    'build tags are ordered by what follows their number too',
    [wheel('1.0', { build: '1b' }), wheel('1.0', { build: '1a' }), wheel('1.0')],
    'lens\n',
    'lens-1.0-1b-py3-none-any.whl',
  ],
  [
    'a requirement of an extra that nobody asks for need not be readable',
    [wheel('1.0', { requires: ['base @ https://example.org/base.whl ; extra == "all"'] })],
    'lens\n',
    'lens-1.0-py3-none-any.whl',
  ],
])('chooses without pip as pip does: %s', async (_, wheels, requirements, expected) => {
  const given = await installationOf(wheels, requirements);
  const chosen = await chooseWithoutPip(given, await hashesOf(given));
  expect(chosen.map(({ file }) => file)).toEqual([expected]);
});
