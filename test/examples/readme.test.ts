import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { buildPackage } from '../../src/testing/index.js';
import { repositoryFile, runScript } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('the runner of the README, as it stands, deploys a package and prints its verdict', async () => {
  const readme = await readFile(repositoryFile('README.md'), 'utf8');
  const snippet = /<!-- snippet: runner -->\n```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  expect(snippet.trim().split('\n').length).toBeLessThanOrEqual(20);
  const folder = await temporaryFolder();
  const zip = path.join(folder, 'package.zip');
  await writeFile(zip, await buildPackage({ pids: ['P7'] }));
  // It stands in the repository while it runs, so that the package's name leads to the sources.
  const file = repositoryFile('build/readme/runner.mts');
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, snippet);
  const stdout = await runScript(file, [zip, 'P7'], folder);
  expect(stdout.trim().split('\n').at(-1)).toBe('OK  OK  []');
});
