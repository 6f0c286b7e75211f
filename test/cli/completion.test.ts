import { spawnSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Registry } from '../../src/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { bundledScript } from '../support/bundled-script.js';
import { cliFolder } from '../support/cli.js';
import { IS_WINDOWS } from '../support/platform.js';
import { repositoryFile } from '../support/run-script.js';

/** An id is any text: this would be a command to a shell that evaluates it. */
const HOSTILE = '$(touch evaluated)';

/** A folder with a station, and the program on its PATH. */
async function shellFolder() {
  const cli = await cliFolder();
  const registry = await Registry.open(path.join(cli.folder, 'station'), { durability: 'none' });
  const productIds = ['BOARD-7', 'B 8', HOSTILE];
  for (const version of ['1.0.0', '1.1.0']) {
    await deployVersion(registry, { name: 'board-check', version, productIds });
  }
  await registry.activate({ name: 'board-check', version: '1.0.0', productIds });
  await registry.close();
  const programs = path.join(cli.folder, 'programs');
  await mkdir(programs);
  const bin = await bundledScript(repositoryFile('src/cli/bin.ts'));
  const script = `#!/bin/sh\nexec "${process.execPath}" "${bin}" "$@"\n`;
  await writeFile(path.join(programs, 'procvision-runner'), script, { mode: 0o755 });
  const env = {
    ...process.env,
    PATH: `${programs}${path.delimiter}${process.env.PATH ?? ''}`,
  };
  const run = (shell: string, args: string[], input: string) => {
    const { status, stdout, stderr } = spawnSync(shell, args, {
      ...{ cwd: cli.folder, env, input, encoding: 'utf8' },
    });
    expect([shell, status, stderr]).toEqual([shell, 0, '']);
    return stdout.split('\n').filter((line) => line !== '');
  };
  return { ...cli, run };
}

/** What Tab is asked for, and the words that are offered. */
const ASKED: [words: string[], offered: string[]][] = [
  [
    ['activate', 'board-check', ''],
    ['1.0.0', '1.1.0'],
  ],
  [['deactivate', 'B 8', '$'], [HOSTILE]],
  [['install', ''], []],
];

/** On Windows a bash may be there, and the program of the tests is a script. */
const has = (shell: string) => !IS_WINDOWS && spawnSync(shell, ['-c', 'true']).status === 0;

test.skipIf(!has('bash'))(
  'bash offers what the last word may become, quoted, and evaluates none of it',
  async () => {
    const { run, folder } = await shellFolder();
    const quote = (word: string) => `'${word}'`;
    const lines = ASKED.map(([words]) => {
      const line = ['procvision-runner', ...words].map(quote).join(' ');
      return `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _procvision_runner; echo "\${COMPREPLY[*]-}|"`;
    });
    const script = `source <(procvision-runner completion bash)\n${lines.join('\n')}\n`;
    const plain = (word: string) => word.replaceAll(/[$() ]/g, String.raw`\$&`);
    expect(run('bash', ['--norc'], script)).toEqual(
      ASKED.map(([, offered]) => `${offered.map(plain).join(' ')}|`),
    );
    expect((await readdir(folder)).sort()).toEqual(['programs', 'station']);
  },
);

test.skipIf(!has('fish'))('fish offers the same', async () => {
  const { run } = await shellFolder();
  const asked = ['swi', 'uninstall --al', 'activate board-check '];
  const lines = asked.map((words) => `complete -C 'procvision-runner ${words}'`);
  const script = `procvision-runner completion fish | source\n${lines.join('\n')}\n`;
  expect(run('fish', ['--no-config'], script)).toEqual([
    'switch',
    '--also-rollback-targets',
    '1.0.0',
    '1.1.0',
  ]);
});

test.skipIf(!has('zsh'))('zsh takes its script', async () => {
  const { run } = await shellFolder();
  const script = 'source <(procvision-runner completion zsh)\nprint $_comps[procvision-runner]\n';
  expect(run('zsh', ['-f'], script)).toEqual(['_procvision_runner']);
});
