import { mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, stop, type Plugin } from 'esbuild';
import { atEndOfFile } from './end-of-file.js';
import { IS_WINDOWS } from './platform.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const MODULES = path.join(HERE, '../../node_modules');
const bundles = new Map<string, Promise<string>>();
const folders: string[] = [];
async function clean(): Promise<void> {
  bundles.clear();
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
  await stop(); // the process of esbuild
}

/**
 * A TypeScript or JavaScript program of the repository (its path from this folder, or absolute) as plain JavaScript: it is
 * up in a fifth of the time and of the work that loading its modules one by one takes. Gone when the tests of the file are over.
 */
export function bundledScript(file: string): Promise<string> {
  let bundle = bundles.get(file);
  if (!bundle) bundles.set(file, (bundle = bundleScripts([file]).then(([out = '']) => out)));
  return bundle;
}

/** The same of several at once, which share what they have in common; in the order of `files`. */
export async function bundleScripts(files: readonly string[]): Promise<string[]> {
  // Packages are found from below their folder too, where a link to it is not to be had (Wine knows no junctions).
  const made = await mkdtemp(path.join(IS_WINDOWS ? MODULES : os.tmpdir(), '.pv-script-'));
  if (folders.push(made) === 1) atEndOfFile.push(clean);
  const folder = await realpath(made); // a program asks whether it is the one that was started
  if (!IS_WINDOWS) await symlink(MODULES, path.join(folder, 'node_modules'));
  const entries = files.map((file) => path.resolve(HERE, file));
  const nameOf = (file: string) => path.basename(file).replace(/\.\w+$/, '');
  await build({
    ...{ entryPoints: entries.map((file) => ({ in: file, out: nameOf(file) })), outdir: folder },
    ...{ bundle: true, splitting: true, outExtension: { '.js': '.mjs' }, logLevel: 'error' },
    ...{ platform: 'node', format: 'esm', target: 'node20', packages: 'external' },
    ...{ tsconfig: path.join(HERE, '../../tsconfig.json'), plugins: [ownPlaces(new Set(entries))] },
  });
  return entries.map((file) => path.join(folder, `${nameOf(file)}.mjs`));
}

/** What ships beside a source is found from there. */
const ownPlaces = (entries: ReadonlySet<string>): Plugin => ({
  name: 'own places',
  setup: (bundler) => {
    bundler.onLoad({ filter: /\.m?ts$/ }, async ({ path: file }) => {
      const text = await readFile(file, 'utf8');
      const place = JSON.stringify(pathToFileURL(file).href);
      return { contents: entries.has(file) ? text : text.replaceAll('import.meta.url', place), loader: 'ts' };
    });
  },
});
