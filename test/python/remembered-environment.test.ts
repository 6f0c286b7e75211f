import { lstat, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { VenvManager } from '../../src/index.js';
import { RememberedEnvironments } from '../../src/python/environments/remembered.js';
import type { Interpreter } from '../../src/types.js';
import { SCRIPTS_IN } from '../support/environment-places.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const MARKER = '# as remembered';
let interpreter: Interpreter;
beforeAll(async () => {
  interpreter = await new VenvManager().select({ wheels: [] });
});

/** A store, and a manager of a new process each time. */
async function station() {
  const root = await temporaryFolder();
  const store = path.join(root, 'store');
  const memory = path.join(store, 'environments.json');
  return {
    memory,
    make: (dir: string) =>
      new VenvManager({ wheelStore: store }).create(path.join(root, dir), { interpreter }),
    /** Lets what was remembered differ from what Python's venv makes. */
    mark: async (change: (made: Record<string, unknown>) => void = () => undefined) => {
      const all = JSON.parse(await readFile(memory, 'utf8')) as Record<string, Record<string, unknown>>;
      for (const made of Object.values(all)) {
        made.files = (made.files as [string, string, boolean][]).map(([file, text, isProgram]) =>
          file.endsWith('activate') ? [file, `${text}${MARKER}\n`, isProgram] : [file, text, isProgram],
        );
        change(made);
      }
      await writeFile(memory, JSON.stringify(all));
    },
  };
}

async function lookAt(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const stats = await lstat(file);
    const mode = (stats.mode & 0o777).toString(8);
    if (stats.isSymbolicLink()) found[name] = `link to ${await readlink(file)}`;
    else if (stats.isFile()) found[name] = `${mode} ${await readFile(file, 'utf8')}`;
    else {
      found[name] = mode;
      for (const [inner, what] of Object.entries(await lookAt(file))) found[`${name}/${inner}`] = what;
    }
  }
  return found;
}

const activation = (dir: string) => readFile(path.join(dir, SCRIPTS_IN, 'activate'), 'utf8');

// macOS copies the interpreter into an environment: none is remembered there.
const notOnMac = test.runIf(process.platform === 'linux' || IS_WINDOWS);

notOnMac('a second environment of an interpreter is as the first, without Python, and runs', async () => {
  const { make, mark } = await station();
  const first = await make('1/venv');
  const again = await make('2/venv');
  expect(await lookAt(again.dir)).toEqual(await lookAt(first.dir));
  await mark();
  const third = await make('3/venv');
  expect(await activation(third.dir)).toContain(MARKER);
  const code = 'import sys, venv; print(sys.prefix, sys.prefix != sys.base_prefix)';
  expect(execFileSync(third.python, ['-X', 'utf8', '-c', code], { encoding: 'utf8' }).trim()).toBe(
    `${third.dir} True`,
  );
});

notOnMac('an environment of another name, or of a changed interpreter, is made by Python', async () => {
  const { make, mark } = await station();
  await make('1/venv');
  await mark();
  const other = await activation((await make('1/other')).dir);
  expect(other).toContain('(other)');
  expect(other).not.toContain(MARKER);
  await mark((made) => (made.mark = `${String(made.mark)}0`));
  expect(await activation((await make('2/other')).dir)).not.toContain(MARKER);
});

notOnMac('what is remembered and was spoiled is of no account', async () => {
  const { make, mark, memory } = await station();
  const first = await make('1/venv');
  const spoilt: ((made: Record<string, unknown>) => void)[] = [
    (made) => (made.folders = 'bin'),
    (made) => (made.links = [['bin/python']]),
    (made) => (made.files = [[1, 2, 3]]),
    (made) => (made.files = [['../outside', '', false]]),
    (made) => (made.links = [[path.join(first.dir, 'outside'), 'python']]),
    (made) => (made.folders = ['lib/../../outside']),
    (made) => (made.folders = ['bin', 'bin']),
    (made) => (made.folders = []),
  ];
  for (const [index, spoil] of spoilt.entries()) {
    await mark(spoil);
    const venv = await make(`spoilt${index}/venv`);
    expect(await lookAt(venv.dir)).toEqual(await lookAt(first.dir));
    expect(await readdir(path.dirname(venv.dir))).toEqual(['venv']);
  }
  await writeFile(memory, '{"half');
  expect(await lookAt((await make('2/venv')).dir)).toEqual(await lookAt(first.dir));
});

test('programs that Windows copies into an environment are copied again as long as they are the same', async () => {
  const root = await temporaryFolder();
  const programs = path.join(root, 'Python', 'Lib', 'venv', 'scripts', 'nt');
  const program = path.join(programs, 'venvlauncher.exe');
  await mkdir(programs, { recursive: true });
  await writeFile(program, Buffer.of(0x4d, 0x5a, 0xff, 0));
  const base = path.join(root, 'Python', 'python3.exe');
  await writeFile(base, Buffer.of(0x4d, 0x5a, 0xfe));
  const at = (dir: string) => ({
    dir: path.join(root, dir, 'venv'),
    python: path.join(root, dir, 'venv', 'Scripts', 'python.exe'),
    sitePackages: path.join(root, dir, 'venv', 'Lib', 'site-packages'),
    interpreter: { ...interpreter, path: base },
  });
  const made = at('1');
  await mkdir(path.dirname(made.python), { recursive: true });
  await mkdir(made.sitePackages, { recursive: true });
  await writeFile(made.python, await readFile(program));
  await writeFile(path.join(path.dirname(made.python), 'python3.exe'), await readFile(base));
  await writeFile(path.join(made.dir, 'pyvenv.cfg'), 'home = C:\\Python\r\n');
  const memory = path.join(root, 'environments.json');
  await new RememberedEnvironments(memory).remember(made, 'mark');
  const make = (dir: string) => new RememberedEnvironments(memory).make(at(dir), 'mark');
  expect(await make('2')).toBe(true);
  expect(await readFile(at('2').python)).toEqual(await readFile(program));
  expect(await lookAt(at('2').dir)).toEqual(await lookAt(made.dir));

  const spoilt = JSON.parse(await readFile(memory, 'utf8')) as Record<string, { copies: string[][] }>;
  for (const { copies } of Object.values(spoilt))
    copies.forEach((copy) => (copy[1] = '../nt/venvlauncher.exe'));
  const good = await readFile(memory);
  await writeFile(memory, JSON.stringify(spoilt));
  expect(await make('3')).toBe(false);
  await writeFile(memory, good);

  await writeFile(program, Buffer.of(0x4d, 0x5a, 0xff, 1, 2));
  expect(await make('4')).toBe(false);
  expect((await readdir(root)).sort()).toEqual(['1', '2', '4', 'Python', 'environments.json']);
  expect(await readdir(path.join(root, '4'))).toEqual([]);
  // A program that is none of the interpreter's own is not kept as text.
  await rm(memory);
  await new RememberedEnvironments(memory).remember(made, 'mark');
  expect(await make('5')).toBe(false);
});
