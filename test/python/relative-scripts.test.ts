import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { relativeLauncher } from '../../src/python/environments/scripts.js';
import { writeZip } from '../../src/testing/zip-writer.js';
import { HAS_PIP } from '../support/pip-of-python.js';

/** A launcher of the pip at hand, as distlib makes it into a command. */
function launcher(line: string, program = programOf('t64.exe')): Buffer {
  const zip = writeZip([{ name: '__main__.py', data: 'print("hello")' }]);
  return Buffer.concat([program, Buffer.from(line), zip]);
}

function programOf(file: string): Buffer {
  const script = 'import os, pip; print(os.path.join(os.path.dirname(pip.__file__), "_vendor", "distlib"))';
  const folder = execFileSync('python3', ['-c', script], { encoding: 'utf8' }).trim();
  return readFileSync(path.join(folder, file));
}

test.runIf(HAS_PIP).each([
  ['#!C:\\store\\venv\\Scripts\\python.exe\r\n', 'python.exe'],
  ['#!"C:\\a store\\venv\\Scripts\\python.exe"\r\n', 'python.exe'],
  ['#!C:\\store\\venv\\Scripts\\pythonw.exe\n', 'pythonw.exe'],
  // As pip on Windows writes it: the line has its end, and gets another.
  ['#!"C:\\a store\\venv\\Scripts\\python.exe"\n\r\n', 'python.exe'],
])(
  'a launcher with the line %j finds %s beside itself, with its program and its zip as they were',
  (line, python) => {
    expect(relativeLauncher(launcher(line))?.equals(launcher(`#!<launcher_dir>\\${python}\r\n`))).toBe(true);
  },
);

test.runIf(HAS_PIP)(
  'a launcher that knows no relative line, or no line at all, and what is none stay as they are',
  () => {
    const line = '#!C:\\store\\venv\\Scripts\\python.exe\r\n';
    expect(relativeLauncher(launcher(line, Buffer.from('an old launcher'))) === undefined).toBe(true);
    expect(relativeLauncher(launcher('')) === undefined).toBe(true);
    expect(relativeLauncher(launcher('#!<launcher_dir>\\python.exe\r\n')) === undefined).toBe(true);
    expect(
      relativeLauncher(Buffer.from('MZ a program <launcher_dir>\\ of a wheel', 'utf16le')) === undefined,
    ).toBe(true);
  },
);

test.runIf(HAS_PIP)('the zip of a launcher runs in Python with the line replaced', () => {
  const content = relativeLauncher(launcher('#!"C:\\a store\\Scripts\\python.exe"\r\n'));
  const script =
    'import sys, io, zipfile; print(zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())).namelist())';
  const said = execFileSync('python3', ['-c', script], { input: content, encoding: 'utf8' });
  expect(said.trim()).toBe("['__main__.py']");
});
