import { expect, test } from 'vitest';
import { parseWheelName } from '../../src/package/wheel-name.js';
import { fits, misfits, tellingTags } from '../../src/python/interpreters/tags.js';

const wheel = (file: string) => {
  const parsed = parseWheelName(file, 1);
  if (!parsed) throw new Error(`${file} is no wheel`);
  return parsed;
};

const interpreter = {
  abi: 'cp311',
  platform: 'linux_x86_64',
  tags: new Set([
    'cp311-cp311-manylinux_2_35_x86_64',
    'cp311-cp311-manylinux_2_34_x86_64',
    'cp311-cp311-manylinux_2_17_x86_64',
    'cp311-cp311-manylinux2014_x86_64',
    'cp311-cp311-linux_x86_64',
    'cp311-abi3-linux_x86_64',
    'cp311-none-linux_x86_64',
    'xpy3-none-any',
    'py3-none-any2',
    'py3-none-any',
  ]),
};

test.each([
  ['a-1-cp311-cp311-linux_x86_64.whl', true],
  ['a-1-py2.py3-none-any.whl', true],
  ['a-1-cp310-cp310-linux_x86_64.whl', false],
])('%s fits: %s', (file, isFit) => {
  expect(fits(wheel(file), interpreter)).toBe(isFit);
});

test('of a project of which one wheel fits none is a misfit; of another all are', () => {
  const wheels = [
    'a-1-cp310-cp310-linux_x86_64.whl',
    'b-1-cp39-cp39-linux_x86_64.whl',
    'a-1-py3-none-any.whl',
    'b-1-cp310-cp310-linux_x86_64.whl',
  ].map(wheel);
  expect(misfits(wheels, interpreter).map(({ file }) => file)).toEqual([
    'b-1-cp39-cp39-linux_x86_64.whl',
    'b-1-cp310-cp310-linux_x86_64.whl',
  ]);
});

test('six tags tell of an interpreter: four of its own ABI, that of the stable one, and the pure one', () => {
  expect(tellingTags(interpreter)).toEqual([
    'cp311-cp311-manylinux_2_35_x86_64',
    'cp311-cp311-manylinux_2_34_x86_64',
    'cp311-cp311-manylinux_2_17_x86_64',
    'cp311-cp311-manylinux2014_x86_64',
    'cp311-abi3-linux_x86_64',
    'py3-none-any',
  ]);
  expect(tellingTags(interpreter, 3)).toEqual([
    'cp311-cp311-manylinux_2_35_x86_64',
    'cp311-abi3-linux_x86_64',
    'py3-none-any',
  ]);
});

test('an interpreter without a stable ABI and without pure tags tells its own alone', () => {
  const tags = new Set(['cp27-cp27mu-linux_x86_64', 'cp27-none-linux_x86_64']);
  expect(tellingTags({ abi: 'cp27mu', platform: 'linux_x86_64', tags })).toEqual([
    'cp27-cp27mu-linux_x86_64',
  ]);
});
