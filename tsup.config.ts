import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { build, transform, type Plugin } from 'esbuild';
import { defineConfig } from 'tsup';
import ts from 'typescript';

const ENTRIES = ['src/index.ts', 'src/http/index.ts', 'src/signing/index.ts', 'src/testing/index.ts'];
const TSLIB_MODULE = 'tslib/tslib.es6.mjs';
/** EventEmitter3 is CommonJS too, in a wrapper: src/eventemitter3.mjs gets it sooner, by `imports` in package.json. */
const EMITTER_IMPORT = /(import \{ EventEmitter \} from ["'])eventemitter3(["'];)/;
const EMITTER_MODULE = '#eventemitter3';
const ANNOTATED_NAMES = /\/\/ Annotate the CommonJS export names[^]*$/;
/**
 * What several late modules share and the main entry does not need: small, and in need of nothing that the entry does not
 * load already. As chunks they would take a millisecond or two each; as part of the entry they take nothing.
 */
const TAKEN_ALONG = [
  'src/package/project-layout.ts',
  'src/process/identity.ts',
  'src/process/run.ts',
  'src/process/tree.ts',
  'src/python/interpreters/discovery.ts',
  'src/python/interpreters/python-version.ts',
  'src/store/atomic-file.ts',
  'src/validation/interpreter-need.ts',
];
/** Late modules that are loaded by another late one alone, so that what both need is one chunk. */
const LOADED_BY = new Map([['src/package/archive/extract.ts', ['src/package/archive/open-archive.ts']]]);
const BARE_IMPORT = /^import "\.{1,2}\/[^"]+";\n/gm;
/** The specifier of a relative import, in three parts around its extension. */
const RELATIVE_IMPORT = /((?:from |import |import\()['"])(\.{1,2}\/[^'"]+)\.js(['"])/g;

async function filesBelow(folder: string, ending: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** What is loaded late, as files: each is a chunk of its own that begins with everything the entries import at once. */
async function lateModules(): Promise<Set<string>> {
  const late = new Set<string>();
  for (const file of await filesBelow('src', '.ts')) {
    for (const [, specifier = ''] of (await readFile(file, 'utf8')).matchAll(/import\('(\.[^']+)\.js'\)/g)) {
      late.add(path.resolve(path.dirname(file), `${specifier}.ts`));
    }
  }
  return late;
}

/**
 * TypeScript (not esbuild) lowers the syntax, because esbuild inlines its own helpers and would leave tslib unused.
 * The helpers come from tslib's ES module itself: what `tslib` leads to in Node is CommonJS in a wrapper, which takes
 * 30 ms more to import.
 */
const lowerWithTypeScript: Plugin = {
  name: 'lower-with-typescript',
  setup(build) {
    const entries = ENTRIES.map((entry) => path.resolve(entry));
    const late = lateModules();
    build.onResolve({ filter: /^entry:main$/ }, () => ({ path: entries[0] }));
    build.onResolve({ filter: /^along:/ }, ({ path: name }) => ({
      path: path.resolve(name.slice('along:'.length)),
    }));
    build.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path: file }) => {
      const { outputText } = ts.transpileModule(await readFile(file, 'utf8'), {
        fileName: file,
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.ESNext,
          importHelpers: true,
          verbatimModuleSyntax: true,
          removeComments: true, // they are in the declarations
        },
      });
      const contents = outputText
        .replace(/ from ["']tslib["']/, ` from "${TSLIB_MODULE}"`)
        // The mark that lets a bundler drop what nobody asks for goes with the comments.
        .replaceAll(' = lazily(', ' = /* @__PURE__ */ lazily(')
        .replace(EMITTER_IMPORT, `$1${EMITTER_MODULE}$2`);
      // esbuild makes a chunk for each set of entries and late modules that lead to a file: 26 for the main entry, each of
      // which takes its time to load. As long as all of them lead to the main entry, what that imports at once is one.
      const leadsThere = entries.includes(file, 1) || (await late).has(file);
      const name = path.relative('.', file).replaceAll('\\', '/');
      const along = file === entries[0] ? TAKEN_ALONG : (LOADED_BY.get(name) ?? []);
      const leads = [...(leadsThere ? ['entry:main'] : []), ...along.map((module) => `along:${module}`)];
      return { contents: leads.map((lead) => `import '${lead}';\n`).join('') + contents, loader: 'js' };
    });
  },
};

/**
 * The CommonJS files are made from the ES modules, file by file, so that both have the same shape. (tsup would hand a
 * split build to another compiler, which rewrites `?.` and `??` into calls.)
 */
async function writeCommonJs(): Promise<void> {
  for (const file of await filesBelow('dist', '.js')) {
    const text = (await readFile(file, 'utf8'))
      .replace(RELATIVE_IMPORT, '$1$2.cjs$3')
      .replaceAll(TSLIB_MODULE, 'tslib')
      .replaceAll(EMITTER_MODULE, 'eventemitter3')
      // It does not exist in CommonJS; a URL built by hand breaks on `#` and `%` in paths.
      .replaceAll('import.meta.url', "require('node:url').pathToFileURL(__filename).href");
    const { code } = await transform(text, {
      format: 'cjs',
      platform: 'node',
      banner: "'use strict';",
      target: 'node20',
      // A late import is a `require`: `import()` would start the loader of ES modules for it.
      supported: { 'dynamic-import': false },
    });
    // Node reads the names that a file annotates for who imports it from an ES module: nobody imports a chunk.
    const isEntry = path.basename(file) === 'index.js';
    await writeFile(file.replace(/\.js$/, '.cjs'), isEntry ? code : code.replace(ANNOTATED_NAMES, ''));
  }
}

/** Imports that bind nothing, of modules that do nothing when they are loaded: a bundler warns of each. */
async function dropBareImports(): Promise<void> {
  for (const file of await filesBelow('dist', '.js')) {
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(BARE_IMPORT, ''));
  }
}

/** Packages that are bundled into the command line, so that who installs the library does not install them. */
const BUNDLED_BY_CLI = ['commander', 'jpeg-js', 'pngjs'];

/**
 * The command line, on the public API alone: it requires the library by its name, like any other program. Each command is a
 * file that is loaded when it is called for. It is CommonJS, which Node starts 10 to 20 ms sooner than ES modules.
 */
async function writeCommandLine(): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: ['src/cli/bin.ts'],
    outdir: 'dist/cli',
    external: ['procvision-runner', 'procvision-runner/*'],
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20', write: false },
  });
  await mkdir('dist/cli', { recursive: true });
  for (const { path: file, text: module } of outputFiles) {
    const { code } = await transform(module.replace(/^#!.*\n/, '').replace(RELATIVE_IMPORT, '$1$2.cjs$3'), {
      ...{ format: 'cjs', platform: 'node', target: 'node20', banner: "'use strict';" },
      minifyWhitespace: true, // a third of it is that of the parser and of two decoders of pictures
      define: { 'import.meta.url': '__moduleUrl' },
      supported: { 'dynamic-import': false },
    });
    const here = "const __moduleUrl = require('node:url').pathToFileURL(__filename).href;\n";
    const head = path.basename(file) === 'bin.js' ? '#!/usr/bin/env node\n' : '';
    const text = head + (code.includes('__moduleUrl') ? here : '') + code.replace(ANNOTATED_NAMES, '');
    await writeFile(file.replace(/\.js$/, '.cjs'), text, { mode: head === '' ? 0o644 : 0o755 });
  }
  const licences = await Promise.all(
    BUNDLED_BY_CLI.map(async (name) => {
      const folder = path.join('node_modules', name);
      const [file = ''] = (await readdir(folder)).filter((entry) => /^licen[cs]e/i.test(entry));
      return `${name}\n\n${await readFile(path.join(folder, file), 'utf8')}`;
    }),
  );
  await writeFile('dist/cli/LICENSES.txt', licences.join('\n---\n\n'));
}

/** What runs in a process of its own, Python or not, and WebAssembly, ships as it is, beside the module that starts it. */
async function copyAssets(): Promise<void> {
  for (const ending of ['.py', '.mjs', '.wasm']) {
    for (const file of await filesBelow('src', ending)) {
      const target = path.join('dist', path.relative('src', file));
      await mkdir(path.dirname(target), { recursive: true });
      await cp(file, target);
    }
  }
}

/**
 * tsc writes the declarations once; those that the entries lead to are shipped. The CommonJS copies differ only in the
 * extension of their imports.
 */
async function writeDeclarations(entries: string[]): Promise<void> {
  const { status, stdout } = spawnSync(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json'],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`declarations failed:\n${stdout}`);
  const wanted = new Set(entries.map((entry) => entry.replace(/^src\/(.*)\.ts$/, '$1.d.ts')));
  for (const file of wanted) {
    const text = await readFile(path.join('build/types', file), 'utf8');
    for (const [, , imported] of text.matchAll(RELATIVE_IMPORT)) {
      wanted.add(path.posix.join(path.posix.dirname(file), `${imported}.d.ts`));
    }
    const target = path.join('dist', file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text);
    await writeFile(target.replace(/\.d\.ts$/, '.d.cts'), text.replace(RELATIVE_IMPORT, '$1$2.cjs$3'));
  }
}

export default defineConfig(async () => {
  await rm('dist', { recursive: true, force: true });
  await rm('build/types', { recursive: true, force: true });
  return {
    entry: ENTRIES,
    format: ['esm'],
    target: 'node20',
    // What several subpaths use goes into chunks of its own: a class is one class, whoever imports it.
    splitting: true,
    removeNodeProtocol: false,
    clean: false,
    esbuildPlugins: [lowerWithTypeScript],
    esbuildOptions: (options) => {
      options.logOverride = { 'ignored-bare-import': 'silent' }; // see `entry:main`
    },
    external: [EMITTER_MODULE],
    onSuccess: async () => {
      await dropBareImports();
      await writeCommonJs();
      await copyAssets();
      await writeCommandLine();
      await writeDeclarations(ENTRIES);
    },
  };
});
