import { build as esbuild } from 'esbuild';
import { cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build as vite } from 'vite';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temp-folder.js';
import { answerOf, emptyPlace, programIn, VERDICT } from './bundle.js';

/** What esbuild needs for any CommonJS package in an ES module. */
const REQUIRE =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

async function byEsbuild(entry: string, outfile: string, format: 'esm' | 'cjs'): Promise<string[]> {
  const { warnings } = await esbuild({
    ...{ entryPoints: [entry], outfile, format, bundle: true, platform: 'node', target: 'node20' },
    banner: format === 'esm' ? { js: REQUIRE } : {},
    ...{ minify: true, logLevel: 'silent' },
  });
  return warnings.map(({ id, text }) => id || text);
}

async function byVite(entry: string, outfile: string, format: 'esm' | 'cjs'): Promise<void> {
  await vite({
    ...{ configFile: false, root: path.dirname(entry), logLevel: 'silent', publicDir: false },
    ssr: { noExternal: true },
    build: {
      ...{ ssr: true, minify: false, emptyOutDir: false, outDir: path.dirname(outfile), target: 'node20' },
      rolldownOptions: { input: entry, output: { format, entryFileNames: path.basename(outfile) } },
    },
  });
}

describe('a bundle without node_modules goes from a zip to a verdict', () => {
  test.each([
    ['esbuild, an ES module', 'main.mjs', 'bundle.mjs', 'esm'],
    ['esbuild, an ES module as CommonJS', 'main.mjs', 'bundle.cjs', 'cjs'],
    ['esbuild, CommonJS', 'main.cjs', 'bundle.cjs', 'cjs'],
  ] as const)('%s', async (_, entry, name, format) => {
    const folder = await temporaryFolder();
    const { zip, assets } = await emptyPlace(folder);
    const file = path.join(folder, name);
    const warnings = await byEsbuild(await programIn(entry), file, format);
    expect(warnings.filter((warning) => warning !== 'empty-import-meta')).toEqual([]);
    const command = [process.execPath, file, path.join(folder, 'station'), zip];
    expect(await answerOf([...command, assets], { cwd: folder })).toEqual(VERDICT);
    // Without the option, and without the variable, what is missing is named, and no Python is blamed.
    expect(await answerOf(command, { cwd: folder })).toEqual({
      code: 'start_failed',
      message: expect.stringContaining(`are not in ${folder}: a bundler leaves them out`) as string,
    });
    const env = { PROCVISION_ASSETS: assets };
    expect(await answerOf(command, { cwd: folder, env })).toEqual(VERDICT);
  });

  test.each([
    ['vite, an ES module', 'main.mjs', 'bundle.mjs', 'esm'],
    ['vite, CommonJS', 'main.cjs', 'bundle.cjs', 'cjs'],
  ] as const)('%s', async (_, entry, name, format) => {
    const folder = await temporaryFolder();
    const { zip, assets } = await emptyPlace(folder);
    const file = path.join(folder, name);
    await byVite(await programIn(entry), file, format);
    const command = [process.execPath, file, path.join(folder, 'station'), zip, assets];
    expect(await answerOf(command, { cwd: folder })).toEqual(VERDICT);
  });
});

/** Reads files of one archive as Electron does: whatever asks `fs` for a path in it is answered from it. */
const ARCHIVE_HOST = String.raw`
const fs = require('node:fs');
const path = require('node:path');
const { Module } = require('node:module');
const archive = path.join(__dirname, 'app.asar');
const files = JSON.parse(fs.readFileSync(archive, 'utf8'));
const nameOf = (file) => (String(file).startsWith(archive + path.sep) ? String(file).slice(archive.length + 1) : undefined);
for (const [name, answer] of Object.entries({
  existsSync: (inside) => inside in files,
  readFileSync: (inside) => files[inside],
})) {
  const original = fs[name];
  fs[name] = (file, ...rest) => {
    const inside = nameOf(file);
    return inside === undefined ? original(file, ...rest) : answer(inside);
  };
}
require('node:module').syncBuiltinESMExports();
const main = new Module(path.join(archive, 'main.cjs'));
main.filename = main.id;
main._compile(files['main.cjs'], main.id);
`;

test('in an archive that only the host reads (asar) the files beside it are used', async () => {
  const folder = await temporaryFolder();
  const { zip, assets } = await emptyPlace(folder);
  const bundle = path.join(folder, 'main.cjs');
  await byEsbuild(await programIn('main.cjs'), bundle, 'cjs');
  const files = { 'main.cjs': await readFile(bundle, 'utf8'), 'worker/launch.py': 'packed' };
  await writeFile(path.join(folder, 'app.asar'), JSON.stringify(files));
  await writeFile(path.join(folder, 'host.cjs'), ARCHIVE_HOST);
  const command = [process.execPath, path.join(folder, 'host.cjs'), path.join(folder, 'station'), zip];
  expect(await answerOf(command, { cwd: folder })).toMatchObject({
    code: 'start_failed',
    message: expect.stringContaining(path.join(folder, 'app.asar.unpacked')) as string,
  });
  await cp(assets, path.join(folder, 'app.asar.unpacked'), { recursive: true });
  expect(await answerOf(command, { cwd: folder })).toEqual(VERDICT);
});
