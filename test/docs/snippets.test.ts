import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { docPages, programOf, snippetsOf } from '../support/doc-snippets.js';
import { repositoryFile, runScript } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

const PRELUDE = `import {
  closeStation, deployer, frames, image, isAllowed, registry, supervisor, validator, venvs,
} from '../../test/support/doc-station.js';
`;

/** Programs stand in the repository while they run, so that the package's name leads to the sources. */
const folder = repositoryFile('build/snippets');
const programs = docPages().flatMap((page) => {
  const snippets = snippetsOf(page).filter(({ mark }) => mark !== 'runner'); // it has a test of its own
  if (snippets.length === 0) return [];
  const file = path.join(folder, `${path.basename(page, '.md')}.mts`);
  return [{ page, file, text: `${programOf(snippets, PRELUDE)}\nawait closeStation();\n` }];
});

beforeAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const { file, text } of programs) await writeFile(file, text);
});

describe('the TypeScript of the README and the guides', () => {
  test('type-checks', async () => {
    const config = path.join(folder, 'tsconfig.json');
    const compilerOptions = {
      noUnusedLocals: false,
      paths: Object.fromEntries(
        ['', '/http', '/testing'].map((subpath) => [
          `procvision-runner${subpath}`,
          [`../../src${subpath}/index.ts`],
        ]),
      ),
    };
    await writeFile(
      config,
      JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.mts'] }),
    );
    const tsc = repositoryFile('node_modules/typescript/bin/tsc');
    const faults = await promisify(execFile)(process.execPath, [tsc, '-p', config]).then(
      () => '',
      (error: unknown) => (error as { stdout: string }).stdout,
    );
    expect(faults).toBe('');
  }, 180_000); // the library is checked with them

  test.each(programs)('of $page runs, from its first line to its last', async ({ file }) => {
    await runScript(file, [], await temporaryFolder());
  });
});
