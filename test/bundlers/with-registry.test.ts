import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { build as esbuild } from 'esbuild';
import { describe, expect, inject, test, type TestContext } from 'vitest';
import { temporaryFolder } from '../support/temp-folder.js';
import { answerOf, emptyPlace, programIn, VERDICT } from './bundle.js';
import { npmTools, type Tools } from '../support/npm-tools.js';

const run = promisify(execFile);
const tools = await npmTools(new URL('tools.json', import.meta.url));

/** The tools, or a skipped test with the reason. */
function toolsOr({ skip }: TestContext): Tools {
  return typeof tools === 'string' ? skip(tools) : tools;
}

type Bundler = (tools: Tools, entry: string, outfile: string, format: 'esm' | 'cjs') => Promise<void>;

/** The part of rollup that is used here. */
interface Rollup {
  rollup: (options: object) => Promise<{
    write(options: object): Promise<unknown>;
    close(): Promise<void>;
  }>;
}

const byRollup: Bundler = async ({ load }, entry, outfile, format) => {
  const { rollup } = load('rollup') as Rollup;
  const { nodeResolve } = load('@rollup/plugin-node-resolve') as { nodeResolve: (o: object) => unknown };
  const commonjs = load('@rollup/plugin-commonjs') as (o: object) => unknown;
  const json = load('@rollup/plugin-json') as () => unknown;
  const faults: string[] = [];
  const bundle = await rollup({
    input: entry,
    // Some CommonJS packages ask for others in a function that is never called.
    plugins: [nodeResolve({ preferBuiltins: true }), commonjs({ ignoreDynamicRequires: true }), json()],
    onwarn: ({ code = '' }: { code?: string }) => void faults.push(code),
  });
  await bundle.write({ file: outfile, format, inlineDynamicImports: true });
  await bundle.close();
  expect(faults.filter((code) => code === 'UNRESOLVED_IMPORT')).toEqual([]);
};

/** The part of webpack that is used here. */
type Webpack = (
  options: object,
  done: (error: Error | null, stats?: { toJson(o: object): Record<'errors' | 'warnings', object[]> }) => void,
) => void;

const byWebpack: Bundler = async ({ load }, entry, outfile, format) => {
  const webpack = load('webpack') as Webpack;
  const isModule = format === 'esm';
  const options = {
    ...{ entry, mode: 'production', target: 'node20', context: path.dirname(entry) },
    output: {
      ...{ path: path.dirname(outfile), filename: path.basename(outfile), asyncChunks: false },
      ...(isModule ? { module: true, chunkFormat: 'module', library: { type: 'module' } } : {}),
    },
    experiments: isModule ? { outputModule: true } : {},
    optimization: { minimize: false },
  };
  const stats = await new Promise<Record<'errors' | 'warnings', object[]>>((resolve, reject) => {
    webpack(options, (error, result) => {
      if (error || !result) reject(error ?? new Error('webpack gave no result'));
      else resolve(result.toJson({ all: false, errors: true, warnings: true }));
    });
  });
  expect(stats).toMatchObject({ errors: [], warnings: [] });
};

describe('a bundle without node_modules goes from a zip to a verdict', () => {
  test.for<[string, Bundler, 'main.mjs' | 'main.cjs', string, 'esm' | 'cjs']>([
    ['rollup, an ES module', byRollup, 'main.mjs', 'bundle.mjs', 'esm'],
    ['rollup, an ES module as CommonJS', byRollup, 'main.mjs', 'bundle.cjs', 'cjs'],
    ['rollup, CommonJS', byRollup, 'main.cjs', 'bundle.cjs', 'cjs'],
    ['webpack, an ES module', byWebpack, 'main.mjs', 'bundle.mjs', 'esm'],
    ['webpack, an ES module as CommonJS', byWebpack, 'main.mjs', 'bundle.cjs', 'cjs'],
    ['webpack, CommonJS', byWebpack, 'main.cjs', 'bundle.cjs', 'cjs'],
  ])('%s', async ([, bundle, entry, name, format], context) => {
    const folder = await temporaryFolder();
    const { zip, assets } = await emptyPlace(folder);
    const file = path.join(folder, name);
    await bundle(toolsOr(context), await programIn(entry), file, format);
    const command = [process.execPath, file, path.join(folder, 'station'), zip, assets];
    expect(await answerOf(command, { cwd: folder })).toEqual(VERDICT);
  });
});

/** Where the blob of a single executable goes: Node looks for it by this name and this mark. */
const SEA = ['NODE_SEA_BLOB', 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'] as const;

test('a single executable of Node goes from a zip to a verdict', async (context) => {
  const { load } = toolsOr(context);
  const folder = await temporaryFolder();
  const { zip, assets } = await emptyPlace(folder);
  const main = path.join(folder, 'main.cjs');
  const entryPoints = [await programIn('main.mjs')];
  await esbuild({
    ...{ entryPoints, outfile: main, bundle: true, format: 'cjs', platform: 'node', logLevel: 'silent' },
  });
  const blob = path.join(folder, 'blob');
  const config = path.join(folder, 'sea.json');
  await writeFile(config, JSON.stringify({ main, output: blob, disableExperimentalSEAWarning: true }));
  await run(process.execPath, ['--experimental-sea-config', config]);
  const program = path.join(folder, process.platform === 'win32' ? 'program.exe' : 'program');
  await copyFile(process.execPath, program);
  await chmod(program, 0o755);
  const { inject: put } = load('postject') as {
    inject: (...args: unknown[]) => Promise<void>;
  };
  await put(program, SEA[0], await readFile(blob), { sentinelFuse: SEA[1] });
  const command = [program, path.join(folder, 'station'), zip, assets];
  expect(await answerOf(command, { cwd: folder })).toEqual(VERDICT);
});

test("under Yarn's Plug'n'Play a project goes from a zip to a verdict", async (context) => {
  const { folder: home, resolve } = toolsOr(context);
  const folder = await temporaryFolder();
  const { zip } = await emptyPlace(folder);
  const project = path.join(folder, 'project');
  await mkdir(project);
  await copyFile(inject('tarball'), path.join(folder, 'library.tgz'));
  const dependencies = { 'procvision-runner': 'file:../library.tgz' };
  await writeFile(path.join(project, 'package.json'), JSON.stringify({ name: 'station', dependencies }));
  await writeFile(path.join(project, 'yarn.lock'), '');
  for (const name of ['main.mjs', 'main.cjs'] as const)
    await copyFile(await programIn(name), path.join(project, name));
  const { stdout: registry } = await run('npm', ['config', 'get', 'registry']);
  const env = {
    YARN_NPM_REGISTRY_SERVER: registry.trim(),
    YARN_GLOBAL_FOLDER: path.join(home, 'yarn'),
    ...{ YARN_ENABLE_TELEMETRY: '0', YARN_NODE_LINKER: 'pnp', YARN_ENABLE_IMMUTABLE_INSTALLS: 'false' },
    YARN_ENABLE_SCRIPTS: 'false',
  };
  const yarn = [process.execPath, resolve('@yarnpkg/cli-dist/bin/yarn.js')];
  const [node = '', script = ''] = yarn;
  await run(node, [script, 'install'], { cwd: project, env: { ...process.env, ...env } });
  for (const name of ['main.mjs', 'main.cjs']) {
    const command = [...yarn, 'node', name, path.join(folder, `station of ${name}`), zip];
    expect(await answerOf(command, { cwd: project, env })).toEqual(VERDICT);
  }
});
