import path from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { inCode } from '../../src/cli/repl/completion.js';
import { startRepl } from '../../src/cli/repl/session.js';
import { formatTable } from '../../src/cli/terminal/table.js';
import { openRunner } from '../../src/index.js';
import { buildPackage } from '../../src/testing/index.js';
import { mkdir, writeFile } from 'node:fs/promises';
import { cliFolder } from '../support/cli.js';
import { repositoryFile, runScript } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A session over a store with one zip, typed into as from a terminal. */
async function openSession() {
  const folder = await temporaryFolder();
  const root = path.join(folder, 'station');
  const zips = path.join(root, 'algorithms', 'zips');
  await mkdir(zips, { recursive: true });
  await writeFile(path.join(zips, 'sample.zip'), await buildPackage());
  const input = new PassThrough();
  const output = new PassThrough();
  const runner = await openRunner(root);
  const { session, ended } = await startRepl(runner, {
    ...{ stdin: input, stdout: output, stderr: new PassThrough(), env: {}, cwd: folder },
  });
  let said = '';
  output.setEncoding('utf8').on('data', (part: string) => (said += part));
  onTestFinished(async () => {
    session.close();
    await ended;
    await runner.close();
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
  return { enter, complete, zips, folder };
}

type Completer = (line: string, done: (error: Error | null, answer: [string[], string]) => void) => void;

test('Tab completes members of the library, and what is in the store between quotes; lists are tables', async () => {
  const { enter, complete, zips } = await openSession();
  expect(await complete('deployer.unin')).toContain('deployer.uninstall');
  expect(await complete('await registry.li')).toContain('registry.list');
  expect(await complete('console.log(registry.li')).toContain('registry.list');
  expect(await complete('.hel')).toEqual(['help']);
  expect(await complete('AlgorithmS')).toEqual(['AlgorithmSupervisor']);
  expect(await complete(`await deployer.install('${inCode(zips)}`)).toContain(
    inCode(path.join(zips, 'sample.zip')),
  );
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

test('helpers need no await: install, inspect and tables; help lists them; files of the working folder are completed', async () => {
  const { enter, complete, folder } = await openSession();
  await writeFile(path.join(folder, 'board.jpg'), 'no picture');
  expect(await complete("inspect('BOARD-7', 'boa")).toEqual(['board.jpg']);
  await enter('help()', /inspect\('BOARD-7', 'x\.jpg'\)/);
  await enter("install('station/algorithms/zips/sample.zip', { activate: true })", /state: 'deployed'/);
  await enter('packages()', /sample {2}1\.0\.0 {4}deployed/);
  await enter("inspect('A01', { data: new Uint8Array(12), width: 2, height: 2 })", /result_status: 'OK'/);
  await enter('workers()', /sample {2}1\.0\.0 +0 {2}idle/);
  await enter(
    "inspect('A01', 'board.jpg')",
    /RunnerError \[invalid_image 1002\]: [^]*board\.jpg[^]* is neither/,
  );
  await enter('1 + 1', /2/);
});

test.each([
  ['all of which work', 'packages()\n\n.help\nawait health()\n', 0],
  ['one of which rejects', "inspect('Z', 'x.png')\n'goes on'\n", 1],
  ['one of which throws', "throw new Error('x')\n'goes on'\n", 1],
  ['one of which is no JavaScript', ") 1\n'goes on'\n", 1],
])('lines of a pipe, %s, run to the last one and exit with their outcome', async (_title, stdin, code) => {
  const cli = await cliFolder();
  const outcome = await cli.runWith({ stdin }, 'repl');
  expect([outcome.code, outcome.stdout]).toEqual([
    code,
    expect.stringContaining(code === 0 ? 'live: true' : "'goes on'"),
  ]);
});

test('lines from a pipe run one after the other, each when the one before it has its answer', async () => {
  const cli = await cliFolder();
  const stdin =
    'workers()\nconst found = await new Promise((resolve) => setTimeout(resolve, 300, "a zip"))\nfound.toUpperCase()\n';
  const outcome = await cli.runWith({ stdin }, 'repl');
  expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining("'A ZIP'") as string });
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
const frames = new FramePool({ directory: process.argv[3] });
(await frames.lease({ width: 2, height: 2 })).release();
const supervisor = new AlgorithmSupervisor({ registry, frames });
await deployer.scan();
await registry.list();
await venvs.interpreters();
console.log('idle', supervisor.status().length);
`,
  );
  // What it leaves of its frames, which the next host would sweep, goes with the folder of the test.
  const places = ['station', 'frames'].map((name) => path.join(folder, name));
  expect(await runScript(script, places)).toBe('idle 0\n');
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

test('a path is completed with / also where the system has another separator, for it stands in a string of JavaScript', () => {
  expect(inCode('C:\\store\\zips\\a.zip', '\\')).toBe('C:/store/zips/a.zip');
  expect(inCode('/store/zips/a.zip', '/')).toBe('/store/zips/a.zip');
});
