import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { baseInterpreter } from '../../src/process/base-interpreter.js';
import { faultBelow } from '../../src/python/environments/base-fault.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('on Windows the interpreter that an environment was made from is started, and what starts it where that is gone, which is named as missing', async () => {
  const folder = await temporaryFolder();
  const [venv, home] = [path.join(folder, 'venv'), path.join(folder, 'Python311')];
  const python = path.join(venv, 'Scripts', 'python.exe');
  await mkdir(path.dirname(python), { recursive: true });
  await writeFile(python, '');
  await writeFile(path.join(venv, 'pyvenv.cfg'), `home = ${home}\nversion = 3.11.9\n`);
  const base = path.join(home, 'python.exe');
  expect(baseInterpreter(python, 'win32')).toEqual({ command: python, executable: undefined, gone: base });
  expect(await faultBelow(python, { platform: 'win32' })).toEqual({ path: base, kind: 'missing' });
  await mkdir(home);
  await writeFile(base, '');
  expect(baseInterpreter(python, 'win32')).toEqual({
    command: base,
    executable: python,
  });
  expect(await faultBelow(python, { platform: 'win32' })).toBeUndefined();
});
