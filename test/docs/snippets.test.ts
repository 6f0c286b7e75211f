import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';
import { docPages, programOf, snippetsOf } from '../support/doc-snippets.js';
import { bundleScripts } from '../support/bundled-script.js';
import { repositoryFile } from '../support/run-script.js';
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
  test('type-checks', () => {
    // Only these files: that the library type-checks is found out elsewhere, and takes three times as long.
    const { config } = ts.readConfigFile(repositoryFile('tsconfig.json'), (file) =>
      ts.sys.readFile(file),
    ) as {
      config: { compilerOptions: object };
    };
    const paths = Object.fromEntries(
      ['', '/fleet', '/http', '/outbox', '/recording', '/signing', '/telemetry', '/testing'].map(
        (subpath) => [`procvision-runner${subpath}`, [repositoryFile(`src${subpath}/index.ts`)]],
      ),
    );
    const { options, fileNames, errors } = ts.parseJsonConfigFileContent(
      { compilerOptions: { ...config.compilerOptions, noUnusedLocals: false, paths }, include: ['*.mts'] },
      ts.sys,
      folder,
    );
    expect(errors).toEqual([]);
    expect(fileNames).toHaveLength(programs.length);
    const program = ts.createProgram(fileNames, options);
    const faults = fileNames.flatMap((file) =>
      ts.getPreEmitDiagnostics(program, program.getSourceFile(file)),
    );
    const host = { getCanonicalFileName: String, getCurrentDirectory: () => folder, getNewLine: () => '\n' };
    expect(ts.formatDiagnostics(faults, host)).toBe('');
  }, 120_000);

  describe('each page', () => {
    let bundles: string[] = [];
    beforeAll(async () => {
      bundles = await bundleScripts(programs.map(({ file }) => file));
    });

    test.each(programs.map(({ page }, index) => ({ page, index })))(
      'of $page runs, from its first line to its last',
      async ({ index }) => {
        const options = { cwd: await temporaryFolder(), timeout: 120_000 };
        await promisify(execFile)(process.execPath, [bundles[index] ?? ''], options);
      },
    );
  });
});
