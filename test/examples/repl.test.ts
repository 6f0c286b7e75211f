import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { startRepl } from '../../examples/repl.js';
import { formatTable } from '../../examples/repl/table.js';
import { buildPackage } from '../../src/testing/index.js';
import { mkdir, writeFile } from 'node:fs/promises';
import { repositoryFile, runScript } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A session over a store with one zip, typed into as from a terminal. */
async function openSession() {
  const root = path.join(await temporaryFolder(), 'station');
  const zips = path.join(root, 'algorithms', 'zips');
  await mkdir(zips, { recursive: true });
  await writeFile(path.join(zips, 'sample.zip'), await buildPackage());
  const input = new PassThrough();
  const output = new PassThrough();
  const { session, closed } = await startRepl(root, { input, output, terminal: false });
  let said = '';
  output.setEncoding('utf8').on('data', (part: string) => (said += part));
  onTestFinished(async () => {
    session.close();
    await closed;
  });
  /** Enters a line, and waits for what it prints. */
  const enter = async (line: string, pattern: RegExp) => {
    said = '';
    input.write(`${line}\n`);
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(pattern);
    return said;
  };
  /** What Tab offers at the end of a line. */
  const complete = (line: string) =>
    new Promise<string[]>((resolve, reject) => {
      const { completer } = session as unknown as { completer: Completer };
      completer(line, (error, answer) => {
        if (error) reject(error);
        else resolve(answer[0]);
      });
    });
  return { enter, complete, zips };
}

type Completer = (line: string, done: (error: Error | null, answer: [string[], string]) => void) => void;

test('Tab completes members of the library, and what is in the store between quotes; lists are tables', async () => {
  const { enter, complete, zips } = await openSession();
  expect(await complete('deployer.unin')).toContain('deployer.uninstall');
  expect(await complete('await registry.li')).toContain('registry.list');
  expect(await complete('console.log(registry.li')).toContain('registry.list');
  expect(await complete('.hel')).toEqual(['help']);
  expect(await complete('AlgorithmS')).toEqual(['AlgorithmSupervisor']);
  expect(await complete(`await deployer.install('${zips}`)).toEqual([path.join(zips, 'sample.zip')]);
  await enter(
    `(await deployer.install(${JSON.stringify(path.join(zips, 'sample.zip'))})).state`,
    /'deployed'/,
  );
  expect(await complete(`await registry.activate({ name: 'sam`)).toEqual(['sample']);
  expect(await complete(`await registry.activate({ name: 'sample', version: '1`)).toEqual(['1.0.0']);
  expect(await complete(`await registry.activate({ name: 'sample', version: '1.0.0', pids: ["A`)).toEqual([
    'A01',
  ]);
  await enter(
    `await registry.activate({ name: 'sample', version: '1.0.0', pids: ['A01'] })`,
    /A01 {2}sample/,
  );
  const table = await enter('await packages()', /sample {2}1\.0\.0/);
  expect(table).toMatch(/name {4}version {2}state {5}generation {2}python_version\n─+/);
  await enter('await active()', /A01 {2}sample {2}1\.0\.0/);
  await enter('registry', /Registry \{[^]*versions: \[ 'sample 1\.0\.0' \]/);
  await enter(
    `await deployer.uninstall('sample', '1.0.0')`,
    /RunnerError \[unsafe_uninstall 2007\]: sample 1\.0\.0 is active/,
  );
});

test('lines from a pipe run one after the other; when they end the session closes what it opened, and the process ends', async () => {
  const root = path.join(await temporaryFolder(), 'station');
  const child = spawn(
    process.execPath,
    [
      '--import',
      new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href,
      repositoryFile('examples/repl.ts'),
      root,
    ],
    {
      env: { ...process.env, TSX_TSCONFIG_PATH: repositoryFile('tsconfig.json') },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (said += part));
  child.stdin.end(
    'workers()\nconst found = await new Promise((resolve) => setTimeout(resolve, 300, "a zip"))\nfound.toUpperCase()\n',
  );
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(said).toContain(`The store is ${root}`);
  expect(said).toContain("'A ZIP'");
});

test('a process that has composed everything and does nothing more ends by itself, nothing closed', async () => {
  const folder = await temporaryFolder();
  const script = repositoryFile('build/idle/idle.mts');
  await mkdir(path.dirname(script), { recursive: true });
  await writeFile(
    script,
    `import { AlgorithmSupervisor, Deployer, FramePool, PackageValidator, Registry, VenvManager } from 'procvision-runner';
const registry = await Registry.open(process.argv[2]);
const venvs = new VenvManager();
const validator = new PackageValidator({ venvs });
const deployer = new Deployer({ registry, venvs, validator });
const frames = new FramePool();
(await frames.lease({ width: 2, height: 2 })).release();
const supervisor = new AlgorithmSupervisor({ registry, frames });
await deployer.scan();
await registry.list();
await venvs.interpreters();
console.log('idle', supervisor.status().length);
`,
  );
  expect(await runScript(script, [path.join(folder, 'station')])).toBe('idle 0\n');
});

test('a table has a column for each field, numbers to the right, long texts cut', () => {
  expect(
    formatTable([
      { name: 'a', calls: 7, none: undefined },
      { name: 'bc', calls: 1234, why: 'x'.repeat(60) },
    ]),
  ).toBe(
    [
      'name  calls  why',
      `────  ─────  ${'─'.repeat(48)}`,
      'a         7',
      `bc     1234  ${'x'.repeat(47)}…`,
    ].join('\n'),
  );
});
