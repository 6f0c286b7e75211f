import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { baseInterpreter } from '../../src/process/base-interpreter.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('on Windows the interpreter that an environment was made from is started, and what starts it where that is gone', async () => {
  const folder = await temporaryFolder();
  const [venv, home] = [path.join(folder, 'venv'), path.join(folder, 'Python311')];
  const python = path.join(venv, 'Scripts', 'python.exe');
  await mkdir(path.dirname(python), { recursive: true });
  await writeFile(python, '');
  await writeFile(path.join(venv, 'pyvenv.cfg'), `home = ${home}\nversion = 3.11.9\n`);
  expect(baseInterpreter(python, 'win32')).toEqual({ command: python, executable: undefined });
  await mkdir(home);
  await writeFile(path.join(home, 'python.exe'), '');
  expect(baseInterpreter(python, 'win32')).toEqual({
    command: path.join(home, 'python.exe'),
    executable: python,
  });
});
