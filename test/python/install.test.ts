import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { appendFile, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { buildWheel } from '../../src/testing/index.js';
import { baseInterpreter } from '../../src/process/base-interpreter.js';
import { FactsCache } from '../../src/python/interpreters/facts.js';
import type { VenvManagerEvents } from '../../src/python/types.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { programName, SCRIPTS_IN } from '../support/environment-places.js';
import { canLink, IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

const manager = new VenvManager();
const interpreter = await manager.select({});
/** A Python whose pip reads markers as pip did before 24.1. */
const oldPip = await (async () => {
  for (const one of await manager.interpreters()) {
    const { pips } = await new FactsCache().get(one);
    if (/^(2[0-3]|24\.0)\./.test(pips[0]?.version ?? '')) return one;
  }
  return undefined;
})();

const tool = {
  name: 'tool',
  version: '1.2',
  files: {
    'tool/__init__.py': 'def main():\n    print("tool runs")\n',
    'tool/data.bin': new Uint8Array(700_000),
  },
  scripts: { 'run-tool': 'tool:main' },
  requires: ['helper>=1'],
};
const helper = { name: 'helper', version: '1.0', files: { 'helper.py': 'VALUE = 7\n' } };

async function freshVenv(options: { finalDir?: string } = {}) {
  const root = await temporaryFolder();
  return manager.create(path.join(root, 'venv'), { interpreter, ...options });
}

const said = (program: string) => execFileSync(program).toString().trim();
const runPython = (python: string, code: string) =>
  execFileSync(python, ['-I', '-c', code]).toString().trim();

describe('create()', () => {
  test('makes an environment whose Python runs and has no pip', async () => {
    const venv = await freshVenv();
    expect(runPython(venv.python, 'import sys; print(sys.prefix != sys.base_prefix)')).toBe('True');
    expect(await readdir(venv.sitePackages)).toEqual([]);
  });

  test('rejects with invalid_params when the folder is not empty, and leaves it alone', async () => {
    const root = await temporaryFolder();
    await writeFile(path.join(root, 'mine'), '');
    await expect(manager.create(root, { interpreter })).rejects.toMatchObject({ code: 'invalid_params' });
    expect(await readdir(root)).toEqual(['mine']);
  });

  test('rejects with aborted and leaves nothing', async () => {
    const root = await temporaryFolder();
    const controller = new AbortController();
    const making = manager.create(path.join(root, 'venv'), { interpreter, signal: controller.signal });
    controller.abort();
    await expect(making).rejects.toMatchObject({ code: 'aborted' });
    expect(await readdir(root)).toEqual([]);
  });
});

describe('install()', () => {
  test.skipIf(!oldPip)(
    `with a pip that reads a marker in another way than the newest installs what was chosen all the same${oldPip ? '' : ' (no Python here has a pip before 24.1)'}`,
    async () => {
      if (!oldPip) return;
      // To it "3.*" is text, which comes before that of each Python 3; to the newest it is no version, and never met.
      const requires = ['helper', 'gone ; python_version >= "3.*"'];
      const source = await wheelFolder([{ ...tool, requires }, helper], 'tool\n');
      const venv = await manager.create(path.join(source.root, 'venv'), { interpreter: oldPip });
      const lines: string[] = [];
      const listen = ({ line }: { line: string }) => void lines.push(line);
      manager.on('output', listen);
      onTestFinished(() => void manager.off('output', listen));
      const report = await manager.install(venv, source);
      expect(report).toMatchObject({ installer: 'pip', installed: [{ name: 'helper' }, { name: 'tool' }] });
      expect(lines.join('\n')).toContain('No matching distribution found for gone');
      // Without its resolver all are asked for: the mark of a requirement has none but what the requirements name.
      const marked = await readdir(venv.sitePackages, { recursive: true });
      expect(marked.filter((file) => file.endsWith('REQUESTED'))).toEqual([
        path.join('tool-1.2.dist-info', 'REQUESTED'),
      ]);
      expect(runPython(venv.python, 'import tool, helper; print(helper.VALUE)')).toBe('7');
      await manager.verify(venv);
    },
  );

  test('installs a requirement and what it needs, with rising progress and the lines of pip', async () => {
    const { wheels, requirements } = await wheelFolder([tool, helper], '\ufefftool==1.2 # 工具\r\n\r\n');
    const venv = await freshVenv();
    const progress: VenvManagerEvents['progress'][0][] = [];
    const lines: string[] = [];
    const watched = new VenvManager();
    watched.on('progress', (event) => void progress.push(event));
    watched.on('output', ({ line }) => void lines.push(line));
    const report = await watched.install(venv, { wheels, requirements });
    expect(report).toMatchObject({
      installer: 'pip',
      installed: [
        { name: 'helper', version: '1.0', file: 'helper-1.0-py3-none-any.whl' },
        { name: 'tool', version: '1.2', file: 'tool-1.2-py3-none-any.whl' },
      ],
    });
    expect(said(path.join(venv.dir, SCRIPTS_IN, programName('run-tool')))).toBe('tool runs');
    expect(lines.join('\n')).toContain('Successfully installed');
    const fractions = progress.map(({ fraction }) => fraction);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    await manager.verify(venv);
  });

  test('has nothing to do for empty requirements without any wheel', async () => {
    const root = await temporaryFolder();
    await writeFile(path.join(root, 'requirements.txt'), '# nothing\n');
    const venv = await freshVenv();
    const report = await manager.install(venv, {
      wheels: path.join(root, 'wheels'),
      requirements: path.join(root, 'requirements.txt'),
    });
    expect(report.installed).toEqual([]);
  });

  test('reads requirements written in GBK', async () => {
    const gbk = Buffer.concat([
      Buffer.from('# '),
      Buffer.from([0xb9, 0xa4, 0xbe, 0xdf]),
      Buffer.from('\r\nhelper\r\n'),
    ]);
    const { wheels, requirements } = await wheelFolder([helper], gbk);
    const report = await manager.install(await freshVenv(), { wheels, requirements });
    expect(report.installed).toMatchObject([{ name: 'helper' }]);
  });

  test('takes included files and constraints of the package into account', async () => {
    const { root, wheels, requirements } = await wheelFolder(
      [helper, { ...helper, version: '2.0' }],
      '-r sub/more.txt\n--constraint=limits.txt\n--find-links wheels\n--no-index\n',
    );
    await mkdir(path.join(root, 'sub'));
    await writeFile(path.join(root, 'sub', 'more.txt'), 'helper \\\n  >=1\n');
    await writeFile(path.join(root, 'limits.txt'), 'helper<2\n');
    const report = await manager.install(await freshVenv(), { wheels, requirements });
    expect(report.installed).toMatchObject([{ name: 'helper', version: '1.0' }]);
  });

  test('rejects with wheels_missing when no wheel of a requirement is there', async () => {
    const { wheels, requirements } = await wheelFolder([helper], 'helper\nabsent>=2\n');
    const venv = await freshVenv();
    await expect(manager.install(venv, { wheels, requirements })).rejects.toMatchObject({
      code: 'wheels_missing',
      errorCode: '2004',
      details: {
        requirements: ['absent>=2'],
        output: expect.arrayContaining(['ERROR: No matching distribution found for absent>=2']) as string[],
      },
    });
    expect(await readdir(venv.sitePackages)).toEqual([]);
  });

  test('rejects with wheels_missing when what a wheel needs is not there, or only in another version', async () => {
    for (const others of [[], [{ ...helper, version: '0.1' }]]) {
      const { wheels, requirements } = await wheelFolder([tool, ...others], 'tool\n');
      await expect(manager.install(await freshVenv(), { wheels, requirements })).rejects.toMatchObject({
        code: 'wheels_missing',
        details: { requirements: ['helper>=1'] },
      });
    }
  });

  test('rejects with wheels_missing when the folder has no wheel at all', async () => {
    const { wheels, requirements } = await wheelFolder([], 'helper\n');
    await expect(manager.install(await freshVenv(), { wheels, requirements })).rejects.toMatchObject({
      code: 'wheels_missing',
    });
  });

  test('rejects with incompatible_python when the only wheel is for another Python', async () => {
    const { wheels, requirements } = await wheelFolder([{ ...helper, tag: 'cp27-cp27m-win32' }], 'helper\n');
    await expect(manager.install(await freshVenv(), { wheels, requirements })).rejects.toMatchObject({
      code: 'incompatible_python',
      errorCode: '2003',
      details: { wheels: [{ file: 'helper-1.0-cp27-cp27m-win32.whl', tags: ['cp27-cp27m-win32'] }] },
    });
  });

  test('rejects with incompatible_python when the wheel asks for another Python version', async () => {
    const { wheels, requirements } = await wheelFolder([{ ...helper, requiresPython: '<3' }], 'helper\n');
    await expect(manager.install(await freshVenv(), { wheels, requirements })).rejects.toMatchObject({
      code: 'incompatible_python',
    });
  });

  test('rejects with invalid_zip naming the wheel when a wheel is cut off', async () => {
    const { wheels, requirements } = await wheelFolder([], 'helper\n');
    await writeFile(
      path.join(wheels, 'helper-1.0-py3-none-any.whl'),
      (await buildWheel(helper)).subarray(0, 200),
    );
    const venv = await freshVenv();
    await expect(manager.install(venv, { wheels, requirements })).rejects.toMatchObject({
      code: 'invalid_zip',
      errorCode: '2001',
      message: expect.stringContaining('helper-1.0-py3-none-any.whl') as string,
    });
    expect(await readdir(venv.sitePackages)).toEqual([]);
  });

  test('rejects with install_failed when requirements contradict each other', async () => {
    const { wheels, requirements } = await wheelFolder(
      [helper, { ...helper, version: '2.0' }],
      'helper==1.0\nhelper==2.0\n',
    );
    await expect(manager.install(await freshVenv(), { wheels, requirements })).rejects.toMatchObject({
      code: 'install_failed',
    });
  });

  test.each([
    '--index-url http://host/simple',
    '-i http://host/simple',
    '--extra-index-url=http://host/simple',
    '-f http://host/wheels',
    '-e git+https://host/x#egg=x',
    'https://host/x-1-py3-none-any.whl',
    'x @ https://host/x-1-py3-none-any.whl',
    'x@file:///etc/x.whl',
    './x-1-py3-none-any.whl',
    '../outside',
    '-r ../outside.txt',
    '-r/etc/hosts',
    '-c ../outside.txt',
    'helper --config-settings=a=b',
    '--some-option',
  ])('refuses the requirement line %j before pip runs', async (line) => {
    const { wheels, requirements } = await wheelFolder([helper], `helper\n${line}\n`);
    const lines: string[] = [];
    const watched = new VenvManager();
    watched.on('output', (event) => void lines.push(event.line));
    const venv = { dir: '/none', python: '/none', sitePackages: '/none', interpreter };
    await expect(watched.install(venv, { wheels, requirements })).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining(line) as string,
      details: { requirements: [line] },
    });
    expect(lines).toEqual([]);
  });

  test("makes no connection for a URL in a wheel's metadata", async () => {
    const connections: unknown[] = [];
    const server = createServer((socket) => {
      connections.push(socket.remotePort);
      socket.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const url = `http://127.0.0.1:${port}/evil-1.0-py3-none-any.whl`;
    const { wheels, requirements } = await wheelFolder(
      [{ ...helper, requires: [`evil @ ${url}`] }],
      'helper\n',
    );
    await expect(manager.install(await freshVenv(), { wheels, requirements })).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(
        /would go outside the package: helper-1\.0.*asks for evil @ http/,
      ) as string,
    });
    expect(connections).toEqual([]);
  });

  test("is not moved by the host's own pip configuration", async () => {
    const { root, wheels, requirements } = await wheelFolder([helper], 'helper\n');
    const config = path.join(root, 'pip.conf');
    await writeFile(config, '[global]\nindex-url = http://127.0.0.1:9/simple\ntarget = /nonexistent\n');
    const saved = { ...process.env };
    onTestFinished(() => {
      process.env = saved;
    });
    Object.assign(process.env, {
      PIP_CONFIG_FILE: config,
      PIP_NO_INDEX: '0',
      PIP_TARGET: root,
      PYTHONPATH: root,
    });
    const venv = await freshVenv();
    await manager.install(venv, { wheels, requirements });
    expect(await readdir(venv.sitePackages)).toContain('helper.py');
  });

  test('rejects with aborted in the middle of pip and takes back what was installed', async () => {
    const { wheels, requirements } = await wheelFolder([tool, helper], 'tool\n');
    const venv = await freshVenv();
    const controller = new AbortController();
    const watched = new VenvManager();
    watched.on('output', ({ line }) => {
      if (line.startsWith('Installing collected')) controller.abort();
    });
    await expect(
      watched.install(venv, { wheels, requirements, signal: controller.signal }),
    ).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(await readdir(venv.sitePackages)).toEqual([]);
    expect(await readdir(path.join(venv.dir, SCRIPTS_IN))).not.toContain(programName('run-tool'));
  });

  test('rejects with timeout past its time limit', async () => {
    const { wheels, requirements } = await wheelFolder([helper], 'helper\n');
    const hurried = new VenvManager({ timeoutMs: 50 });
    await expect(hurried.install(await freshVenv(), { wheels, requirements })).rejects.toMatchObject({
      code: 'timeout',
    });
  });
});

describe('verify()', () => {
  test('rejects naming a changed, a missing and a foreign file', async () => {
    const { wheels, requirements } = await wheelFolder([helper], 'helper\n');
    const venv = await freshVenv();
    await manager.install(venv, { wheels, requirements });
    await manager.verify(venv);
    await appendFile(path.join(venv.sitePackages, 'helper.py'), '#');
    const record = path.join(venv.sitePackages, 'helper-1.0.dist-info', 'RECORD');
    await appendFile(record, 'gone.py,sha256=AAAA,4\r\n../../../../outside,sha256=AAAA,4\r\n');
    await expect(manager.verify(venv)).rejects.toMatchObject({
      code: 'install_failed',
      details: {
        issues: [
          { path: '../../../../outside', message: 'lies outside the environment' },
          { path: 'gone.py', message: 'is missing' },
          { path: 'helper.py', message: 'has 11 bytes, not 10' },
        ].map((issue) => expect.objectContaining(issue) as object),
      },
    });
  });
});

describe('an environment that moves', () => {
  test('names no place, and its scripts run wherever it is', async () => {
    const root = await temporaryFolder();
    const { wheels, requirements } = await wheelFolder([tool, helper], 'tool\n');
    const venv = await manager.create(path.join(root, 'staging', 'venv'), { interpreter });
    await manager.install(venv, { wheels, requirements });
    await manager.verify(venv);
    expect(runPython(venv.python, 'import helper; print(helper.VALUE)')).toBe('7');
    await rename(path.join(root, 'staging'), path.join(root, 'final place'));
    const moved = path.join(root, 'final place', 'venv');
    expect(said(path.join(moved, SCRIPTS_IN, programName('run-tool')))).toBe('tool runs');
    const another = IS_WINDOWS ? 'activate.bat' : 'activate.fish';
    for (const file of [`${SCRIPTS_IN}/activate`, `${SCRIPTS_IN}/${another}`, 'pyvenv.cfg']) {
      expect(await readFile(path.join(moved, file), 'utf8')).not.toContain('staging');
    }
    await manager.verify(await manager.load(moved));
  });

  test.runIf(canLink())(
    'made from an interpreter that lies beside it, moves together with that',
    async () => {
      const root = await temporaryFolder();
      const own = path.join(root, 'version', 'python', 'bin', path.basename(interpreter.path));
      await mkdir(path.dirname(own), { recursive: true });
      await symlink(interpreter.path, own);
      const venv = await manager.create(path.join(root, 'version', 'venv'), {
        interpreter: { ...interpreter, path: own },
      });
      expect(runPython(venv.python, 'print("runs")')).toBe('runs');
      await rename(path.join(root, 'version'), path.join(root, 'moved'));
      const moved = path.join(root, 'moved', 'venv', 'bin', 'python');
      expect(baseInterpreter(moved)).toEqual({
        command: path.join(root, 'moved', 'python', 'bin', path.basename(own)),
        executable: moved,
      });
    },
  );
});
