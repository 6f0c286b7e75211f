import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseWheelName } from '../../src/package/wheel-name.js';
import {
  candidatesInTurn,
  findCandidates,
  parsePyLauncher,
} from '../../src/python/interpreters/discovery.js';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import { statProgram } from '../../src/python/interpreters/facts-file.js';
import { meetsVersion } from '../../src/python/interpreters/python-version.js';
import { fits } from '../../src/python/interpreters/tags.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { barePython } from '../support/bare-python.js';
import { newestPip } from '../support/newest-pip.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Programs that are scripts with `#!` run nowhere on Windows. */
const onPosix = test.skipIf(IS_WINDOWS);
const manager = new VenvManager();
const first = await manager.select({});
const wheel = (file: string) => {
  const parsed = parseWheelName(file, 1);
  if (!parsed) throw new Error(`${file} is no wheel name`);
  return parsed;
};

describe('interpreters()', () => {
  test('finds each Python of this machine once, as 3.8 or later, with its tags', async () => {
    const found = await manager.interpreters();
    expect(found.length).toBeGreaterThan(0);
    const real = await Promise.all(found.map(({ path: file }) => realpath(file)));
    expect(new Set(real).size).toBe(found.length);
    for (const { version, tags } of found) {
      expect(meetsVersion(version, '>=3.8')).toBe(true);
      expect(tags.has('py3-none-any')).toBe(true);
    }
  });

  test('gives the very tags that the newest pip accepts, in its order; of a Python too old for it those of its own pip', async () => {
    const pip = await newestPip();
    for (const interpreter of await manager.interpreters()) {
      const isNew = 'folder' in pip && Number(interpreter.version.split('.')[1]) >= 10;
      const script =
        `import json, sys\n${isNew ? `sys.path.insert(0, ${JSON.stringify(pip.folder)})` : ''}\nfrom pip._internal.utils.compatibility_tags import get_supported\n` +
        'print(json.dumps([str(tag) for tag in get_supported()]))';
      let supported: string[];
      try {
        supported = JSON.parse(
          execFileSync(interpreter.path, ['-I', '-c', script], { stdio: 'pipe' }).toString(),
        ) as string[];
      } catch {
        continue; // this one has no pip to compare with
      }
      // Earlier ones put what was built for this very system behind manylinux.
      const order = (tags: Iterable<string>) => (isNew ? [...tags] : [...tags].sort());
      expect(order(interpreter.tags)).toEqual(order(supported));
    }
  });

  test('takes the Python of an environment for the one it was made from', async () => {
    const folder = await temporaryFolder();
    const venv = await manager.create(path.join(folder, 'venv'), { interpreter: first });
    const [found, ...others] = await new VenvManager({ python: [venv.python, first.path] }).interpreters();
    expect(others).toEqual([]);
    // On Windows python3.exe may be a file of its own beside python.exe.
    const place = async (file = '') => realpath(IS_WINDOWS ? path.dirname(file) : file);
    expect(await place(found?.path)).toBe(await place(first.path));
  });

  onPosix('remembers what an interpreter told, and asks again once the executable has changed', async () => {
    const root = await temporaryFolder();
    const asked = path.join(root, 'asked');
    const shim = path.join(root, 'python3');
    const script = (note: string) =>
      `#!/bin/sh\n# ${note}\necho asked >> '${asked}'\nexec '${first.path}' "$@"\n`;
    await writeFile(shim, script('one'), { mode: 0o755 });
    const questions = async () => (await readFile(asked, 'utf8')).trim().split('\n').length;
    const wheelStore = path.join(root, 'store');
    const tags = (await new VenvManager({ python: shim, wheelStore }).select({})).tags;
    expect((await new VenvManager({ python: shim, wheelStore }).select({})).tags).toEqual(tags);
    expect(await questions()).toBe(1);
    await writeFile(shim, script('another one'));
    await new VenvManager({ python: shim, wheelStore }).select({});
    expect(await questions()).toBe(2);
  });

  onPosix('asks an interpreter that a shim stands for once, by whichever path', async () => {
    const shim = path.join(await temporaryFolder(), 'python3');
    await writeFile(shim, `#!/bin/sh\nexec "${first.path}" "$@"\n`, { mode: 0o755 });
    const facts = new FactsCache();
    const answer = await facts.ask(shim);
    expect(answer).toMatchObject({ ok: true, interpreter: { path: first.path } });
    expect(await facts.ask(first.path)).toBe(answer);
  });

  onPosix(
    'asks a Python again that did not start, also of the same file: what it lacked may be there by now',
    async () => {
      const root = await temporaryFolder();
      const [python, library] = [path.join(root, 'python3'), path.join(root, 'libpython.so')];
      const fault = 'error while loading shared libraries: libpython.so';
      await writeFile(
        python,
        `#!/bin/sh\n[ -e '${library}' ] || { echo '${fault}' >&2; exit 127; }\nexec '${first.path}' "$@"\n`,
        { mode: 0o755 },
      );
      const facts = new FactsCache(0);
      expect(await facts.ask(python)).toMatchObject({
        ok: false,
        reason: expect.stringContaining(fault) as string,
      });
      const patient = new FactsCache();
      const answer = await patient.ask(python);
      await writeFile(library, '');
      expect(await facts.ask(python)).toMatchObject({ ok: true, interpreter: { path: first.path } });
      expect(await patient.ask(python)).toBe(answer); // within one installation it is asked once
    },
  );

  onPosix.each(['venv', 'ensurepip'] as const)(
    'sees %s that a package of the system added beside an interpreter, in this process and the next',
    async (part) => {
      const root = await temporaryFolder();
      const python = await barePython(first.path, root, ['venv', 'ensurepip']);
      const memory = path.join(root, 'interpreters.json');
      const has = async (facts: FactsCache) => {
        facts.keepIn(memory);
        const answer = await facts.ask(python);
        if (!answer.ok) throw new Error(answer.reason);
        return part === 'venv' ? answer.facts.has_venv : answer.facts.pips.length > 0;
      };
      const facts = new FactsCache(0);
      expect(await has(facts)).toBe(false);
      const library = execFileSync(first.path, [
        '-I',
        '-c',
        'import os; print(os.path.dirname(os.__file__))',
      ]);
      const folder = (await readdir(path.join(root, 'lib')))[0] ?? '';
      await symlink(path.join(library.toString().trim(), part), path.join(root, 'lib', folder, part));
      const isHere = existsSync(path.join(library.toString().trim(), part));
      expect(await has(facts)).toBe(isHere);
      expect(await has(new FactsCache())).toBe(isHere);
    },
  );

  onPosix(
    'asks a shim again once the interpreter that it stood for is gone or another, in this process and the next',
    async () => {
      const root = await temporaryFolder();
      const [shim, version, memory] = ['python3', 'version', 'interpreters.json'].map((name) =>
        path.join(root, name),
      );
      const [one, other] = [path.join(root, 'one', 'python3'), path.join(root, 'other', 'python3')];
      for (const file of [one, other]) {
        await mkdir(path.dirname(file));
        await symlink(first.path, file);
      }
      await writeFile(shim ?? '', `#!/bin/sh\nexec "$(cat '${version}')" "$@"\n`, { mode: 0o755 });
      await writeFile(version ?? '', one);
      const askedBy = async (facts: FactsCache) => {
        facts.keepIn(memory ?? '');
        const answer = await facts.ask(shim ?? '');
        return answer.ok ? answer.interpreter.path : answer.reason;
      };
      const facts = new FactsCache();
      expect(await askedBy(facts)).toBe(one);
      await rm(one);
      await writeFile(version ?? '', other);
      expect(await askedBy(new FactsCache())).toBe(other);
      expect(await askedBy(facts)).toBe(other);
    },
  );

  test('asks anew where what was remembered has been spoiled', async () => {
    const memory = path.join(await temporaryFolder(), 'interpreters.json');
    for (const spoilt of [{}, { mark: 1 }, { facts: {} }, { facts: { pips: {} } }, 'text', null]) {
      await writeFile(memory, JSON.stringify({ [first.path]: spoilt }));
      const facts = new FactsCache();
      facts.keepIn(memory);
      expect(await facts.ask(first.path)).toMatchObject({ ok: true });
    }
  });

  onPosix('passes over what is no Python', async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, 'python3');
    await writeFile(file, '#!/bin/sh\necho hello\n');
    await chmod(file, 0o755);
    expect(await new VenvManager({ python: file }).interpreters()).toEqual([]);
  });
});

describe('findCandidates()', () => {
  onPosix('looks on PATH for python3, python and python3.x, and among the versions of pyenv', async () => {
    const root = await temporaryFolder();
    const make = async (...parts: string[]) => {
      const file = path.join(root, ...parts);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, parts.join('/'));
      return file;
    };
    const plain = await make('bin', 'python3');
    const ten = await make('bin', 'python3.10');
    const nine = await make('bin', 'python3.9');
    await make('bin', 'python3.10-config');
    await symlink('python3.9', path.join(root, 'bin', 'python'));
    const pyenv = await make('pyenv', 'versions', '3.12.1', 'bin', 'python3');
    const env = {
      PATH: `${path.join(root, 'bin')}:relative:${path.join(root, 'none')}`,
      PYENV_ROOT: path.join(root, 'pyenv'),
    };
    expect(await findCandidates({ env, platform: 'linux' })).toEqual([
      plain,
      path.join(root, 'bin', 'python'),
      ten,
      pyenv,
    ]);
    expect(nine).not.toBe(ten);
  });

  test('keeps to what is given: a command name, a file, a folder', async () => {
    const root = await temporaryFolder();
    await mkdir(path.join(root, 'bin'));
    const file = path.join(root, 'bin', IS_WINDOWS ? 'python.exe' : 'python3');
    await writeFile(file, '');
    const env = { PATH: path.join(root, 'bin') };
    for (const given of [path.parse(file).name, file, root]) {
      expect(await findCandidates({ given: [given], env })).toEqual([file]);
    }
  });

  test("reads both forms of the Windows launcher's list", () => {
    const list =
      ' -V:3.12 *        C:\\Program Files\\Python312\\python.exe\r\n -3.9-64           C:\\Py39\\python.exe\r\n';
    expect(parsePyLauncher(list)).toEqual([
      'C:\\Program Files\\Python312\\python.exe',
      'C:\\Py39\\python.exe',
    ]);
  });

  onPosix('asks the launcher of Windows on PATH, and never one in the current folder', async () => {
    const root = await temporaryFolder();
    const program = async (folder: string, python: string) => {
      await mkdir(path.join(root, folder));
      const file = path.join(root, folder, 'py.exe');
      await writeFile(file, `#!/bin/sh\necho ' -V:3.12 *        ${python}'\n`, { mode: 0o755 });
      return path.dirname(file);
    };
    const here = await program('here', '/found/here');
    const onPath = await program('bin', '/found/on-path');
    const before = process.cwd();
    process.chdir(here);
    try {
      const env = { PATH: '/bin', PYENV_ROOT: root };
      expect(await findCandidates({ env, platform: 'win32' })).not.toContain('/found/here');
    } finally {
      process.chdir(before);
    }
    const env = { Path: onPath, PYENV_ROOT: root };
    expect(await findCandidates({ env, platform: 'win32' })).toEqual(['/found/on-path']);
  });
});

describe('candidatesInTurn()', () => {
  onPosix('starts the launcher of Windows only for who asks for more than PATH has', async () => {
    const root = await temporaryFolder();
    const onPath = path.join(root, 'python.exe');
    await writeFile(onPath, '');
    const started = path.join(root, 'started');
    const script = `#!/bin/sh\necho started > '${started}'\necho ' -V:3.12 *        /found/by-launcher'\n`;
    await writeFile(path.join(root, 'py.exe'), script, { mode: 0o755 });
    const turns = candidatesInTurn({ env: { PATH: root, PYENV_ROOT: root }, platform: 'win32' });
    expect((await turns.next()).value).toEqual([onPath]);
    expect(existsSync(started)).toBe(false);
    expect((await turns.next()).value).toEqual(['/found/by-launcher']);
    expect(existsSync(started)).toBe(true);
  });
});

describe('select()', () => {
  test('gives an interpreter that accepts one wheel of every project', async () => {
    const wheels = [`a-1-cp399-cp399-win32.whl`, `a-1-py3-none-any.whl`, `b-1-${first.abi}-none-any.whl`].map(
      wheel,
    );
    const chosen = await manager.select({ wheels });
    expect(fits(wheel('a-1-py3-none-any.whl'), chosen)).toBe(true);
    expect(chosen.abi).toBe(first.abi);
  });

  test('rejects with incompatible_python that names wheel and remedy, tags in its details', async () => {
    const tag = IS_WINDOWS ? 'cp27-cp27m-win_amd64' : 'cp27-cp27mu-linux_x86_64';
    const file = `numpy-1.24.2-${tag}.whl`;
    const wheels = [wheel(file), wheel('pure-1-py3-none-any.whl')];
    await expect(manager.select({ wheels })).rejects.toMatchObject({
      code: 'incompatible_python',
      errorCode: '2003',
      message: expect.stringMatching(
        /does not accept numpy-1\.24\.2-cp27-cp27mu?-\w+\.whl.*The wheels are for CPython 2\.7: install it/s,
      ) as string,
      details: {
        wheels: [{ file, tags: [tag] }],
        interpreters: expect.arrayContaining([
          expect.objectContaining({ tags: expect.arrayContaining(['py3-none-any']) as string[] }),
        ]) as object[],
      },
    });
  });

  test('rejects with incompatible_python when no Python of the version asked for is there', async () => {
    await expect(manager.select({ pythonVersion: '3.99' })).rejects.toMatchObject({
      code: 'incompatible_python',
      message: expect.stringContaining('Install Python 3.99') as string,
    });
  });

  // On Windows the launcher of Python may find one all the same.
  onPosix(
    'rejects with incompatible_python that names every place looked at when no Python is found',
    async () => {
      const root = await temporaryFolder();
      const saved = { ...process.env };
      onTestFinished(() => {
        process.env = saved;
      });
      Object.assign(process.env, { PATH: path.join(root, 'bin'), PYENV_ROOT: path.join(root, 'pyenv') });
      const found = `None was found in ${path.join(root, 'bin')}, ${path.join(root, 'pyenv', 'versions')}.`;
      await expect(new VenvManager().select({})).rejects.toMatchObject({
        code: 'incompatible_python',
        message: expect.stringContaining(found) as string,
      });
    },
  );

  test('prefers the interpreter that ships with the package, given as file or folder', async () => {
    const prefix = IS_WINDOWS ? path.dirname(first.path) : path.dirname(path.dirname(first.path));
    const elsewhere = new VenvManager({ python: '/nonexistent/python' });
    for (const embedded of [first.path, prefix]) {
      expect((await elsewhere.select({ embedded })).version).toBe(first.version);
    }
  });

  test('rejects with aborted once the signal has fired', async () => {
    const fresh = new VenvManager();
    await expect(fresh.select({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
      name: 'AbortError',
    });
    expect((await fresh.select({})).version).toMatch(/^3\./);
  });
});

test.each([
  ['3.11.7', '3.11', true],
  ['3.11.7', '3.11.2', true],
  ['3.11.7', '3.10', false],
  ['3.11.7', '311', true],
  ['3.9.1', 'cp311', false],
  ['3.11.7', '>=3.8,<3.12', true],
  ['3.12.0', '>=3.8,<3.12', false],
  ['3.12.0', '3.8+', true],
  ['3.12.0', '~=3.8', true],
  ['3.12.0', '!=3.12.*', false],
  ['3.12.0', '==3.*', true],
  ['3.12.0', 'any', true],
  ['3.12.0', 'latest and greatest', undefined],
])('version %s against %j gives %s', (version, wanted, expected) => {
  expect(meetsVersion(version, wanted)).toBe(expected);
});

onPosix(
  'an alias of the Microsoft Store, which Windows shows and does not follow, is a program',
  async () => {
    const folder = await temporaryFolder();
    const [alias, missing] = [path.join(folder, 'python.exe'), path.join(folder, 'missing.exe')];
    await symlink(path.join(folder, 'nowhere'), alias);
    const { default: fs } = await import('node:fs');
    const { syncBuiltinESMExports } = await import('node:module');
    const original = fs.promises.stat;
    fs.promises.stat = (() =>
      Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }))) as typeof original;
    syncBuiltinESMExports();
    try {
      expect((await statProgram(alias, 'win32'))?.isSymbolicLink()).toBe(true);
      expect(await statProgram(missing, 'win32')).toBeUndefined();
      expect(await statProgram(alias, 'linux')).toBeUndefined();
    } finally {
      fs.promises.stat = original;
      syncBuiltinESMExports();
    }
    expect(await statProgram(alias, 'win32')).toBeUndefined(); // a link to nothing
  },
);
