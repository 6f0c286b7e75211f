import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { defineConfig, type OutputOptions } from 'rolldown';
import ts from 'typescript';

// `npm run build`: tsc writes declarations to build/types, then rolldown writes dist/ by this file.
const ENTRIES = [
  'index',
  'fleet/index',
  'http/index',
  'outbox/index',
  'recording/index',
  'signing/index',
  'telemetry/index',
  'testing/index',
  'types',
];
/** Of what is bundled into the command line: an installation of the library does not need these packages. */
const LICENCES = ['commander/LICENSE', 'jpeg-js/LICENSE', 'pngjs/LICENSE'];

/** TypeScript lowers the syntax: with rolldown's own helpers nothing would use the dependency tslib. */
const [target, module] = [ts.ScriptTarget.ES2022, ts.ModuleKind.ESNext];
const compilerOptions = { target, module, importHelpers: true, verbatimModuleSyntax: true };
const handler = (code: string, fileName: string) => {
  return { code: ts.transpileModule(code, { fileName, compilerOptions }).outputText, moduleType: 'js' };
};
const typescript = { name: 'typescript', transform: { filter: { id: /\.ts$/ }, handler } };

/**
 * Declarations are there once, as those of CommonJS, and those of the entries of ES modules lead to them: a class is one type in
 * both. An ES module cannot be the one copy: TypeScript lets no CommonJS import it. The imports of a `.d.cts` name `.cjs` files.
 */
const toCommonJs: ts.TransformerFactory<ts.SourceFile> = (context) => (file) => {
  const visit = (node: ts.Node): ts.Node =>
    ts.isStringLiteral(node) && /^\..*\.js$/.test(node.text)
      ? context.factory.createStringLiteral(`${node.text.slice(0, -3)}.cjs`, true)
      : ts.visitEachChild(node, visit, context);
  return ts.visitEachChild(file, visit, context);
};

/** Adds Python files, scripts, the page, WebAssembly, licences, and the declarations that the entries lead to. */
function addOthers(): void {
  const filter = (name: string) => /(\.(py|mjs|wasm|html|css|svg)|[\\/][^.\\/]+|^src)$/.test(name);
  cpSync('src', 'dist', { recursive: true, filter });
  const licences = LICENCES.map((name) => `${name}\n\n${ts.sys.readFile(`node_modules/${name}`) ?? ''}`);
  ts.sys.writeFile('dist/cli/LICENSES.txt', licences.join('\n---\n\n'));
  const roots = ENTRIES.map((name) => `build/types/${name}.d.ts`);
  const files = ts.createProgram(roots, { module: ts.ModuleKind.NodeNext, types: [] }).getSourceFiles();
  for (const file of files.filter(({ fileName }) => fileName.includes('build/types/'))) {
    const copy = file.fileName.replace(/^.*build.types/, 'dist').slice(0, -'.ts'.length);
    const [twin = file] = ts.transform(file, [toCommonJs]).transformed;
    ts.sys.writeFile(`${copy}.cts`, ts.createPrinter().printFile(twin));
  }
  for (const entry of ENTRIES) {
    ts.sys.writeFile(`dist/${entry}.d.ts`, `export * from './${path.posix.basename(entry)}.cjs';\n`);
  }
}

/**
 * Gives each statement of a module and each member of a class a line of its own again: an uncaught exception prints its line.
 * All other white space, a tenth of what is packed, is left out; names stay, for stack traces.
 */
function breakLines(file: string, code: string): string {
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.ES2022, false, ts.ScriptKind.JS);
  const starts = new Set(source.statements.map((statement) => statement.getStart(source)));
  const visit = (node: ts.Node): void => {
    if (ts.isClassElement(node)) starts.add(node.getStart(source));
    ts.forEachChild(node, visit);
  };
  visit(source);
  const ordered = [...starts].sort((one, other) => one - other);
  return ordered.map((at, index) => code.slice(index === 0 ? 0 : at, ordered[index + 1])).join('\n');
}

const lines = {
  name: 'lines',
  generateBundle(_options: unknown, bundle: Record<string, { type: string; code?: string }>) {
    for (const [file, chunk] of Object.entries(bundle)) {
      if (chunk.type === 'chunk' && chunk.code !== undefined) chunk.code = breakLines(file, chunk.code);
    }
  },
};

/** Modules that an import of the main entry loads at once. A subpath that imports others at once must not bring them into it. */
const loadedByMain = new Set<string>();
interface Graph {
  getModuleInfo(id: string): { importedIds: readonly string[] } | null;
}
const graph = {
  name: 'graph',
  buildEnd(this: Graph) {
    const walk = (id: string): void => {
      if (loadedByMain.has(id)) return;
      loadedByMain.add(id);
      for (const imported of this.getModuleInfo(id)?.importedIds ?? []) walk(imported);
    };
    walk(path.resolve('src/index.ts'));
  },
};
/** They are one chunk, and what subpaths load at once besides is another: one for each set of entries would take a millisecond each. */
const ROOMS_OF_SUBPATHS =
  /src.(?:fleet|http|outbox|recording.(?!comparison-report)|signing|telemetry|testing)/;
const groups = [
  { name: 'main', priority: 1, test: (id: string) => loadedByMain.has(id) },
  {
    name: 'shared',
    tags: ['$initial' as const],
    test: (id: string) => /src./.test(id) && !ROOMS_OF_SUBPATHS.test(id),
  },
];
/** Both are CommonJS for Node, 30 and 16 ms slower to import than tslib's ES module and src/eventemitter3.mjs. */
const paths = { tslib: 'tslib/tslib.es6.mjs', eventemitter3: '#eventemitter3' };
const fromNode = { platform: 'node' as const, plugins: [typescript, lines] };
const library = {
  ...{
    ...fromNode,
    plugins: [typescript, graph, lines],
    external: /^[^./]/,
    treeshake: { moduleSideEffects: false },
  },
  experimental: { attachDebugInfo: 'none' as const },
  optimization: { inlineConst: false }, // an import for an inlined constant stays, without a name: bundlers warn of it
  input: Object.fromEntries(ENTRIES.map((name) => [name, `src/${name}.ts`])),
};
const minify = { compress: false, mangle: false };
const output = (folder: string, extension: string, more: OutputOptions): OutputOptions => ({
  ...{ dir: 'dist', entryFileNames: `[name].${extension}`, chunkFileNames: `${folder}[name].${extension}` },
  ...{ strict: true, dynamicImportInCjs: false, comments: { jsdoc: false }, minify, ...more },
});

rmSync('dist', { recursive: true, force: true });
export default defineConfig([
  { ...library, output: output('', 'js', { format: 'es', codeSplitting: { groups }, paths }) },
  { ...library, output: output('', 'cjs', { format: 'cjs', codeSplitting: { groups } }) },
  {
    ...{ ...fromNode, input: { 'cli/bin': 'src/cli/bin.ts' }, external: /^(procvision-runner|tslib)/ },
    plugins: [typescript, lines, { name: 'others', writeBundle: addOthers }],
    output: output('cli/', 'cjs', { format: 'cjs' }),
  },
]);
