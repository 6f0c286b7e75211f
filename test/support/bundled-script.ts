import { mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, stop } from 'esbuild';
import { atEndOfFile } from './end-of-file.js';
import { IS_WINDOWS } from './platform.js';

const bundles = new Map<string, Promise<string>>();
const folders: string[] = [];
atEndOfFile.push(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  await stop(); // the process of esbuild
});

/**
 * A script of this folder as one file of plain JavaScript, for tests that start it hundreds of times: it is up in a
 * fifth of the time that loading its modules one by one takes. Gone when the tests of the file are over.
 */
export function bundledScript(file: string): Promise<string> {
  let bundle = bundles.get(file);
  if (!bundle) bundles.set(file, (bundle = bundleScript(file)));
  return bundle;
}

async function bundleScript(file: string): Promise<string> {
  const source = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  const modules = source('../../node_modules');
  // Packages are found from below their folder too, where a link to it is not to be had (Wine knows no junctions).
  const folder = await mkdtemp(path.join(IS_WINDOWS ? modules : os.tmpdir(), '.pv-script-'));
  folders.push(folder);
  const outfile = path.join(folder, `${path.basename(file, '.ts')}.mjs`);
  if (!IS_WINDOWS) await symlink(modules, path.join(folder, 'node_modules'));
  await build({
    ...{ entryPoints: [source(`./${file}`)], outfile, bundle: true, logLevel: 'error' },
    ...{ platform: 'node', format: 'esm', target: 'node20', packages: 'external' },
    // What ships beside the sources is found from here.
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(source('../../src/assets.ts')).href) },
  });
  return outfile;
}
