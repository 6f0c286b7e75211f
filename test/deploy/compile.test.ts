import { execFile } from 'node:child_process';
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import type { CompiledEvent } from '../../src/deploy/types.js';
import type { Manifest } from '../../src/package/types.js';
import { compileSources, Compiling } from '../../src/python/environments/compile.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { buildWheel, sampleAlgorithm, wheelFileName } from '../../src/testing/index.js';
import { PackageValidator } from '../../src/validation/package-validator.js';
import { packageHost } from '../support/package-host.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Relative to the folder; links are not followed. */
const byteCodeIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.pyc'))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
const stems = (files: readonly string[]) => files.map((file) => path.basename(file).split('.')[0]);

/** A package whose algorithm imports one of two modules. */
async function installed(top = '', options: Parameters<typeof packageHost>[1] = {}) {
  const wheel = {
    ...{ name: 'shape', version: '1.0' },
    files: { 'shape/__init__.py': '', 'shape/used.py': 'SIDES = 4\n', 'shape/unused.py': 'SIDES = 5\n' },
  };
  const host = await packageHost('link', options);
  const compiled: CompiledEvent[] = [];
  host.deployer.on('compiled', (event) => compiled.push(event));
  const main = sampleAlgorithm({
    generation: 'phased',
    name: 'sample',
    version: '1.0.0',
    productIds: ['A01'],
  });
  await host.deployer.install(
    await host.zip({
      files: { 'algorithm/__init__.py': '', 'algorithm/main.py': `import shape.used\n${top}\n${main}` },
      wheels: [{ file: wheelFileName(wheel), bytes: await buildWheel(wheel) }],
      requirements: 'procvision_algorithm_sdk\nshape\n',
    }),
  );
  const root = host.registry.layout.deployed('sample', '1.0.0');
  const verify = () => host.deployer.verify('sample', '1.0.0');
  const inspect = async () => {
    const supervisor = new AlgorithmSupervisor({ registry: host.registry });
    try {
      const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };
      return await supervisor.execute({ target: { name: 'sample', version: '1.0.0' }, stepIndex: 1, image });
    } finally {
      await supervisor.close();
    }
  };
  return { ...host, compiled, root, verify, inspect };
}

describe('an install', () => {
  test('compiles what the trial run has imported and the adapter of the SDK, no more, and says so', async () => {
    const { compiled, root, verify } = await installed();
    const names = stems(await byteCodeIn(root));
    expect(names).toEqual(expect.arrayContaining(['main', 'used', '__main__']));
    expect(names).not.toContain('unused');
    expect(compiled).toMatchObject([{ name: 'sample', version: '1.0.0', files: names.length, left: 0 }]);
    expect(await verify()).toMatchObject({ intact: true });
  });

  test('without a trial run compiles every source', async () => {
    const { root } = await installed('', { validator: new PackageValidator({ smoke: false }) });
    expect(stems(await byteCodeIn(root))).toEqual(expect.arrayContaining(['main', 'used', 'unused']));
  });

  test('compiles nothing where that is switched off', async () => {
    const { compiled, root } = await installed('', { compileBytecode: false });
    expect(await byteCodeIn(root)).toEqual([]);
    expect(compiled).toEqual([]);
  });
});

describe.skipIf(process.platform === 'win32')('byte code of a version', () => {
  test('can be read and not be written by anybody, in a folder that takes no other', async () => {
    const { root } = await installed();
    const [file = ''] = await byteCodeIn(root);
    expect((await stat(path.join(root, file))).mode & 0o777).toBe(0o444);
    expect((await stat(path.join(root, path.dirname(file)))).mode & 0o777).toBe(0o555);
  });

  test('is named by verify where it was changed, removed or added, also if Python would make the same', async () => {
    const { root, verify } = await installed();
    const files = await byteCodeIn(root);
    const [changed = '', removed = ''] = files;
    await chmod(path.join(root, changed), 0o644);
    await appendFile(path.join(root, changed), '\0');
    await rm(path.join(root, removed));
    const site = path.dirname(path.dirname(files.find((file) => file.includes('used')) ?? ''));
    const python = path.join(root, 'venv', 'bin', 'python');
    await promisify(execFile)(python, ['-m', 'py_compile', path.join(root, site, 'unused.py')]);
    const { drift } = await verify();
    expect(
      drift.map(({ kind, path: file }) => `${kind} ${path.posix.basename(file).split('.')[0]}`).sort(),
    ).toEqual([`added unused`, `changed ${stems([changed])[0]}`, `missing ${stems([removed])[0]}`].sort());
  });

  test('is run by a worker, which writes none', async () => {
    const { root, verify, inspect } = await installed(
      'import importlib.util\nloader = shape.used.__spec__.loader\n' +
        'import shape.unused\nfrom multiprocessing import util as _',
    );
    // Python that looks for it finds it right though the times of its source are others.
    const files = await byteCodeIn(root);
    const before = await Promise.all(files.map((file) => readFile(path.join(root, file))));
    for (const file of files) {
      const [stem = ''] = stems([file]);
      const source = path.join(root, path.dirname(path.dirname(file)), `${stem}.py`);
      await utimes(source, 1, 1);
    }
    expect((await inspect()).status).toBe('OK');
    expect(await byteCodeIn(root)).toEqual(files);
    expect(await Promise.all(files.map((file) => readFile(path.join(root, file))))).toEqual(before);
    expect(await verify()).toMatchObject({ intact: true });
  });
});

describe('compileSources', () => {
  test('stops at the limit and says how many are left; a source that cannot be compiled is none of them', async () => {
    const root = await temporaryFolder();
    await writeFile(path.join(root, 'wrong.py'), 'def (\n');
    await writeFile(path.join(root, 'right.py'), 'x = 1\n');
    const order = { python: 'python3', root, shownRoot: '/elsewhere' };
    expect(await compileSources({ ...order, limitMs: 60_000 })).toEqual({ files: 1, left: 0 });
    expect(await compileSources({ ...order, limitMs: 0 })).toEqual({ files: 0, left: 2 });
    expect(await byteCodeIn(root)).toEqual([]);
  });

  test('compiles many sources, each once, by as many processes as there are cores', async () => {
    const root = await temporaryFolder();
    const names = Array.from({ length: 101 }, (_, index) => `m${index}.py`);
    for (const name of names)
      await writeFile(path.join(root, name), name === 'm7.py' ? 'def (\n' : 'x = 1\n');
    const order = { python: 'python3', root, shownRoot: root };
    expect(await compileSources({ ...order, files: names, limitMs: 60_000 })).toEqual({
      files: 100,
      left: 0,
    });
    expect(stems(await byteCodeIn(root)).sort()).toEqual(
      names
        .filter((name) => name !== 'm7.py')
        .map((name) => name.slice(0, -'.py'.length))
        .sort(),
    );
    expect(await compileSources({ ...order, files: names, limitMs: 0 })).toEqual({ files: 0, left: 101 });
  });

  test('leaves nothing of byte code that was there before, such as an algorithm on trial may write', async () => {
    const root = await temporaryFolder();
    for (const name of [
      'a.py',
      'b.py',
      'c.pyc',
      '__pycache__/a.cpython-311.pyc',
      '__pycache__/b.cpython-311.pyc',
    ]) {
      await mkdir(path.dirname(path.join(root, name)), { recursive: true });
      await writeFile(path.join(root, name), '');
    }
    const order = { python: 'python3', root, shownRoot: root, limitMs: 60_000 };
    expect(await compileSources({ ...order, files: ['a.py'] })).toEqual({ files: 1, left: 0 });
    const [own = '', ...others] = await byteCodeIn(root);
    expect(stems([own])).toEqual(['a']);
    expect(others).toEqual([]);
    expect((await stat(path.join(root, own))).size).toBeGreaterThan(16);
  });

  test('follows no link out of its folder', async () => {
    const root = await temporaryFolder();
    const outside = await temporaryFolder();
    await writeFile(path.join(outside, 'a.py'), '');
    await mkdir(path.join(root, 'sub'));
    const files = ['../a.py', path.join(outside, 'a.py'), 'sub/../../a.py', 'absent.py'];
    const limitMs = 60_000;
    expect(await compileSources({ python: 'python3', root, shownRoot: root, files, limitMs })).toMatchObject({
      files: 0,
    });
    expect(await byteCodeIn(outside)).toEqual([]);
  });
});

describe.skipIf(process.platform === 'win32')('byte code that is made while the trial runs', () => {
  test('is of what the trial says that it compiles, while it does', async () => {
    const { root, registry } = await installed('', { compileBytecode: false });
    const told = path.join(await temporaryFolder(), 'told');
    await writeFile(told, '');
    const manifest = JSON.parse(await readFile(path.join(root, 'manifest.json'), 'utf8')) as Manifest;
    const python = path.join(registry.layout.venv('sample', '1.0.0'), 'bin', 'python');
    const target = { root, python, manifest, generation: 'phased' as const, told };
    const { loaded } = await new PackageValidator().smoke(target);
    const lines = (await readFile(told, 'utf8')).trimEnd().split('\n');
    const files = lines.map((line) => JSON.parse(line) as string);
    expect(stems(files)).toEqual(expect.arrayContaining(['main', 'used']));
    expect(stems(files)).not.toContain('unused');
    expect(loaded).toEqual(expect.arrayContaining(files));
  });

  test.runIf(process.platform === 'linux')(
    'is made anew where the source is another by the end of the trial',
    async () => {
      const root = await temporaryFolder();
      await writeFile(path.join(root, 'a.py'), 'x = 1\n');
      const told = path.join(await temporaryFolder(), 'told');
      await writeFile(told, '"a.py"\n');
      await using compiling = new Compiling({ python: 'python3', root, shownRoot: root }, told);
      await vi.waitFor(
        async () => {
          expect(await positionIn(told)).toBe((await stat(told)).size);
        },
        { timeout: 20_000 },
      );
      await writeFile(path.join(root, 'a.py'), 'x = 2\n');
      expect(await compiling.finish({ files: ['a.py'], limitMs: 60_000 })).toEqual({ files: 1, left: 0 });
      const run = promisify(execFile)('python3', ['-v', '-c', 'import a; print(a.x)'], { cwd: root });
      const { stdout, stderr } = await run;
      expect(stdout).toBe('2\n');
      expect(stderr).toMatch(/# code object from .*a\.cpython-\d+\.pyc/);
    },
  );

  test('follows nothing that leads out of the folder, and takes nothing amiss that is no path', async () => {
    const root = await temporaryFolder();
    const outside = await temporaryFolder();
    await writeFile(path.join(root, 'a.py'), 'x = 1\n');
    await writeFile(path.join(outside, 'b.py'), 'x = 1\n');
    await symlink(outside, path.join(root, 'sub'));
    const told = path.join(outside, 'told');
    const names = [
      '../b.py',
      path.join(outside, 'b.py'),
      'sub/b.py',
      'absent.py',
      'sub/../a.py',
      7,
      [],
      null,
    ];
    await writeFile(told, `${names.map((name) => JSON.stringify(name)).join('\n')}\nno JSON\n\0\n"a.p`);
    await using compiling = new Compiling({ python: 'python3', root, shownRoot: root }, told);
    expect(await compiling.finish({ files: ['a.py'], limitMs: 60_000 })).toEqual({ files: 1, left: 0 });
    expect(stems(await byteCodeIn(root))).toEqual(['a']);
    expect(await byteCodeIn(outside)).toEqual([]);
  });

  test('is not written where nobody asks for it: the process ends', async () => {
    const root = await temporaryFolder();
    await writeFile(path.join(root, 'a.py'), 'x = 1\n');
    const told = path.join(root, 'told');
    await writeFile(told, '"a.py"\n');
    const compiling = new Compiling({ python: 'python3', root, shownRoot: root }, told);
    await compiling[Symbol.asyncDispose]();
    expect(await byteCodeIn(root)).toEqual([]);
    await expect(compiling.finish({ limitMs: 60_000 })).rejects.toMatchObject({ code: 'aborted' });
  });
});

/** How far a process has read a file that it has open. */
async function positionIn(file: string): Promise<number | undefined> {
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    for (const fd of await readdir(`/proc/${id}/fd`).catch(() => [])) {
      if ((await readlink(`/proc/${id}/fd/${fd}`).catch(() => '')) !== file) continue;
      const info = await readFile(`/proc/${id}/fdinfo/${fd}`, 'utf8').catch(() => '');
      return Number(/^pos:\s*(\d+)/.exec(info)?.[1]);
    }
  }
  return undefined;
}
