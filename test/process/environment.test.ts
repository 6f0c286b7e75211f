import { expect, test } from 'vitest';
import { pythonEnvironment } from '../../src/process/environment.js';

test('a variable that is given replaces that of the host, on Windows in whatever case both are written', () => {
  const host = { PATH: 'of the host', Temp: 'of the host', SystemRoot: 'C:\\Windows' };
  const given = { Path: 'given', TEMP: 'given' };
  const { PATH, Path, Temp, TEMP, SystemRoot } = pythonEnvironment(given, host, 'win32');
  expect({ PATH, Path, Temp, TEMP, SystemRoot }).toEqual({
    ...{ PATH: undefined, Path: 'given', Temp: undefined, TEMP: 'given', SystemRoot: 'C:\\Windows' },
  });
  expect(pythonEnvironment(given, host, 'linux')).toMatchObject({ ...host, ...given });
});
