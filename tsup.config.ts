import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import type { Plugin } from 'esbuild';
import { defineConfig, type Format } from 'tsup';
import ts from 'typescript';

async function filesBelow(folder: string, ending: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/**
 * Every source file is an entry of its own, so that a class is one class however many
 * subpaths import it. Relative imports therefore stay imports, with the extension of the format.
 * TypeScript (not esbuild) lowers the syntax, because esbuild inlines its own helpers and would
 * leave tslib unused.
 */
function keepModulesApart(format: Format): Plugin {
  const extension = format === 'cjs' ? '.cjs' : '.js';
  return {
    name: 'keep-modules-apart',
    setup(build) {
      build.onResolve({ filter: /^\.{1,2}\// }, ({ path: specifier, kind }) =>
        kind === 'entry-point' ? undefined : { path: specifier.replace(/\.js$/, extension), external: true },
      );
      build.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async (args) => {
        const source = await readFile(args.path, 'utf8');
        const { outputText } = ts.transpileModule(source, {
          fileName: args.path,
          compilerOptions: {
            target: ts.ScriptTarget.ES2022,
            module: ts.ModuleKind.ESNext,
            importHelpers: true,
            verbatimModuleSyntax: true,
          },
        });
        // `import.meta.url` does not exist in CommonJS; a URL built by hand breaks on `#` and `%` in paths.
        const contents =
          format === 'cjs'
            ? outputText.replaceAll('import.meta.url', "require('node:url').pathToFileURL(__filename).href")
            : outputText;
        return { contents, loader: 'js' };
      });
    },
  };
}

/** Python files ship beside the module that uses them. */
async function copyAssets(): Promise<void> {
  for (const file of await filesBelow('src', '.py')) {
    const target = path.join('dist', path.relative('src', file));
    await mkdir(path.dirname(target), { recursive: true });
    await cp(file, target);
  }
}

/** tsc writes the declarations once; the CommonJS copies differ only in the extension of their imports. */
async function writeDeclarations(): Promise<void> {
  const { status, stdout } = spawnSync(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json'],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`declarations failed:\n${stdout}`);
  for (const file of await filesBelow('build/types', '.d.ts')) {
    const text = await readFile(file, 'utf8');
    const target = path.join('dist', path.relative('build/types', file));
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
    await writeFile(
      target.replace(/\.d\.ts$/, '.d.cts'),
      text.replace(/((?:from |import\()['"])(\.{1,2}\/[^'"]+)\.js(['"])/g, '$1$2.cjs$3'),
    );
  }
}

export default defineConfig(async () => {
  await rm('dist', { recursive: true, force: true });
  await rm('build/types', { recursive: true, force: true });
  const formats: Format[] = ['esm', 'cjs'];
  return formats.map((format) => ({
    entry: ['src/**/*.ts'],
    format: [format],
    target: 'node20',
    splitting: false,
    sourcemap: false,
    clean: false,
    esbuildPlugins: [keepModulesApart(format)],
    ...(format === 'cjs'
      ? {
          onSuccess: async () => {
            await copyAssets();
            await writeDeclarations();
          },
        }
      : {}),
  }));
});
