/**
 * The inside in figures: files that the main operations pass, exports of the main entry, lines of `src/`, and the packed
 * size and import time of the three entries that every host has. Needs `dist/` (`npm run build`) for the last two.
 *
 * `npx tsx scripts/inside.ts`
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import ts from 'typescript';
import { filesPassed } from './files-passed.js';

const project = fileURLToPath(new URL('..', import.meta.url));
const ENTRIES = ['index', 'http/index', 'testing/index'];

function filesBelow(folder: string): string[] {
  return readdirSync(path.join(project, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(project, path.join(entry.parentPath, entry.name)));
}

const textOf = (file: string) => readFileSync(path.join(project, file), 'utf8');

/** Names that the main entry exports, types among them. */
function exportsOfMain(): string[] {
  const file = path.join(project, 'src/index.ts');
  const { config } = ts.readConfigFile(path.join(project, 'tsconfig.json'), (name) =>
    readFileSync(name, 'utf8'),
  ) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, project);
  const program = ts.createProgram([file], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  return module ? checker.getExportsOfModule(module).map(({ name }) => name) : [];
}

/** Lines of the library's own source in a language. */
function lines(ending: string, isCounted: (file: string) => boolean): number {
  return filesBelow('src')
    .filter((file) => file.endsWith(ending) && isCounted(file))
    .reduce((sum, file) => sum + textOf(file).trimEnd().split('\n').length, 0);
}

/** The files that these lead to by their imports, early and late. */
function ledTo(entries: string[]): string[] {
  const found = new Set(entries);
  for (const file of found) {
    for (const [, specifier = ''] of textOf(file).matchAll(
      /(?:from|import|import\(|require\()\s*["'](\.[^"']+)["']/g,
    )) {
      let target = path.posix.join(path.posix.dirname(file), specifier);
      if (/\.d\.c?ts$/.test(file)) target = target.replace(/\.(c?)js$/, '.d.$1ts');
      if (existsSync(path.join(project, target))) found.add(target);
    }
  }
  return [...found];
}

/** Bytes of these entries with all they lead to, for both module systems and with declarations, as a tarball packs them. */
function packed(entries: string[]): number {
  const files = ledTo(
    entries.flatMap((entry) => ['.js', '.cjs', '.d.ts', '.d.cts'].map((end) => `dist/${entry}${end}`)),
  );
  const assets = filesBelow('dist').filter((file) => /\.(?:py|mjs|wasm|html|css|svg)$/.test(file));
  return gzipSync(Buffer.concat([...files, ...assets].map((file) => readFileSync(path.join(project, file)))))
    .length;
}

/** The least time of some that a new process takes to import the main entry, in milliseconds. */
function importTime(): number {
  const entry = JSON.stringify(pathToFileURL(path.join(project, 'dist/index.js')).href);
  const script = `const from = performance.now(); await import(${entry}); console.log(performance.now() - from)`;
  const run = () =>
    Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
  return Math.min(...Array.from({ length: 15 }, run));
}

const NEW_ROOMS = /^src\/(?:cli|recording|telemetry|outbox|fleet)\//;
const { install, execute } = await filesPassed();
const sources = filesBelow('src').filter((file) => file.endsWith('.ts'));
const rows: [string, string | number][] = [
  ['files that install() passes', install.length],
  ['files that a warm execute() passes', execute.length],
  ['exports of the main entry', exportsOfMain().length],
  ['files of src/ (TypeScript)', sources.length],
  ['lines of src/ (TypeScript)', lines('.ts', () => true)],
  [
    'of these without cli, recording, telemetry, outbox, fleet',
    lines('.ts', (file) => !NEW_ROOMS.test(file)),
  ],
  ['lines of src/ (Python and plain JavaScript)', lines('.py', () => true) + lines('.mjs', () => true)],
];
if (existsSync(path.join(project, 'dist/index.js'))) {
  rows.push(
    ['packed: main, http and testing together, kB', Math.round(packed(ENTRIES) / 1000)],
    ['import of the main entry, ms (least of 15)', importTime().toFixed(1)],
  );
}
console.log('| | now |\n| --- | --- |');
for (const [title, value] of rows) console.log(`| ${title} | ${value} |`);
