import { expect, test } from 'vitest';
import { parseWheelName } from '../../src/package/wheel-name.js';

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
