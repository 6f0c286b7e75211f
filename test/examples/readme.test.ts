import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { buildPackage } from '../../src/testing/index.js';
import { repositoryFile, runScript } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function runnerOfReadme(): Promise<string> {
  const readme = await readFile(repositoryFile('README.md'), 'utf8');
  return /<!-- snippet: runner -->\n```js\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
}

test('the runner of the README deploys a package and prints its verdict, and does so a second time', async () => {
  const snippet = await runnerOfReadme();
  expect(snippet.trim().split('\n').length).toBeLessThanOrEqual(20);
  const folder = await temporaryFolder();
  const zip = path.join(folder, 'package.zip');
  await writeFile(zip, await buildPackage({ productIds: ['P7'] }));
  // It stands in the repository while it runs, so that the package's name leads to the sources.
  const file = repositoryFile('build/readme/runner.mjs');
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, snippet);
  for (let run = 1; run <= 2; run++) {
    const stdout = await runScript(file, [zip, 'P7'], folder);
    expect(stdout.trim().split('\n').at(-1)).toBe('OK  OK  []');
  }
});

test('the runner of the README is JavaScript that Node 20 reads: no types, nothing newer than ES2022', async () => {
  const { outputText, diagnostics } = ts.transpileModule(await runnerOfReadme(), {
    fileName: 'runner.mjs',
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  expect(diagnostics).toEqual([]);
  // What is lowered, as `await using` is, brings helpers.
  expect(outputText).not.toMatch(/__\w+/);
});
