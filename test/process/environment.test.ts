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

test('what Windows and its installers set for the whole machine reaches a subprocess, what a host has of its own does not', () => {
  const host = {
    ...{
      ProgramFiles: 'C:\\Program Files',
      'ProgramFiles(x86)': 'C:\\Program Files (x86)',
      OS: 'Windows_NT',
    },
    ...{ CommonProgramW6432: 'C:\\Program Files\\Common Files', ALLUSERSPROFILE: 'C:\\ProgramData' },
    ...{ PUBLIC: 'C:\\Users\\Public', HOMEDRIVE: 'C:', HOMEPATH: '\\Users\\line' },
    ...{ PROCESSOR_IDENTIFIER: 'Intel64 Family 6', CUDA_PATH_V12_4: 'C:\\CUDA\\v12.4' },
  };
  const secrets = {
    CUDA_PATH_VAULT_TOKEN: 'secret',
    DATABASE_URL: 'secret',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  const given = pythonEnvironment({}, { ...host, ...secrets }, 'win32');
  expect(given).toMatchObject(host);
  expect(Object.values(given)).not.toContain('secret');
});
