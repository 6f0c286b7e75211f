import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const source = fileURLToPath(new URL('../../src/', import.meta.url));
const target = fileURLToPath(new URL('../out/compiled/', import.meta.url));

/**
 * The library as plain modules: a loader that compiles in memory would be most of what a memory figure shows.
 *
 * @returns folder of the modules
 */
export async function compiledLibrary(): Promise<string> {
  await rm(target, { recursive: true, force: true });
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const to = path.join(target, path.relative(source, file));
    await mkdir(path.dirname(to), { recursive: true });
    if (!file.endsWith('.ts')) await cp(file, to);
    else {
      const { outputText } = ts.transpileModule(await readFile(file, 'utf8'), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.ESNext,
          importHelpers: true,
          verbatimModuleSyntax: true,
        },
      });
      await writeFile(to.replace(/\.ts$/, '.js'), outputText);
    }
  }
  await writeFile(path.join(target, 'package.json'), '{"type":"module"}');
  return target;
}
