import { expect, test } from 'vitest';
import { isVariantWheel, parseWheelName } from '../../src/package/wheel-name.js';

test.each([
  ['numpy-1.24.2-cp311-cp311-linux_x86_64.whl', 'numpy', '1.24.2', ['cp311-cp311-linux_x86_64']],
  ['six-1.16.0-py2.py3-none-any.whl', 'six', '1.16.0', ['py2-none-any', 'py3-none-any']],
  [
    'Opencv_Python.Headless-4.8-1build-cp37-abi3-win_amd64.whl',
    'opencv-python-headless',
    '4.8',
    ['cp37-abi3-win_amd64'],
  ],
  ['torch-2.1.0+cpu-cp38-cp38-linux_x86_64.whl', 'torch', '2.1.0+cpu', ['cp38-cp38-linux_x86_64']],
  [
    'pillow-10.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
    'pillow',
    '10.0',
    ['cp311-cp311-manylinux_2_17_x86_64', 'cp311-cp311-manylinux2014_x86_64'],
  ],
])('%s is %s %s', (file, name, version, tags) => {
  expect(parseWheelName(file, 7)).toMatchObject({ file, name, version, tags, sizeBytes: 7 });
});

test.each([
  'numpy.whl',
  'numpy-1.0.whl',
  'numpy-1.0-py3-none.whl',
  'a b-1-py3-none-any.whl',
  '-1-py3-none-any.whl',
  'x-1-py3-none-any.zip',
  'x-1-b-py3-none-any.whl',
])('%s is not the name of a wheel', (file) => {
  expect(parseWheelName(file, 7)).toBeUndefined();
});

test('a wheel with a build number has it, and tags in lower case', () => {
  expect(parseWheelName('A-1-2b-CP311-None-Any.whl', 7)).toEqual({
    ...{ file: 'A-1-2b-CP311-None-Any.whl', name: 'a', version: '1', build: '2b', sizeBytes: 7 },
    tags: ['cp311-none-any'],
  });
  expect(parseWheelName('a-1_rc1-py3-none-any.whl', 7)).toEqual({
    ...{ file: 'a-1_rc1-py3-none-any.whl', name: 'a', version: '1-rc1', sizeBytes: 7 },
    tags: ['py3-none-any'],
  });
});

test('a wheel for 256 tags is read, for one more set of them it is not', () => {
  const sets = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`).join('.');
  expect(parseWheelName(`a-1-${sets(16)}-${sets(4)}-${sets(4)}.whl`, 7)?.tags).toHaveLength(256);
  expect(parseWheelName(`a-1-${sets(257)}-none-any.whl`, 7)).toBeUndefined();
});

test.each([
  ['numpy-2.0-cp311-cp311-linux_x86_64-x86_64_v3.whl', true],
  ['numpy-2.0-cp311-cp311-linux_x86_64.whl', false],
  ['numpy-2.0-1-cp311-cp311-linux_x86_64.whl', false],
  ['numpy-2.0-cp311-cp311-linux_x86_64-x86_64_v3.zip', false],
  ['numpy.whl', false],
  ['a-b.whl', false],
  ['$numpy-2.0-cp311-cp311-linux_x86_64-x86_64_v3.whl', false],
])('%s is a variant of a wheel: %s', (file, isVariant) => {
  expect(isVariantWheel(file)).toBe(isVariant);
});
