import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { describe, expect, inject, test } from 'vitest';

const run = promisify(execFile);
const project = inject('project');
const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));

async function runNode(file: string, ...args: string[]): Promise<unknown> {
  const { stdout, stderr } = await run(process.execPath, [path.join(project, file), ...args]);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as unknown;
}

describe('an installed package', () => {
  test.each(['deploy.mjs', 'deploy.cjs'])('deploys over HTTP and runs a package, by %s', async (file) => {
    const station = path.join(project, `station of ${file}`);
    await mkdir(station);
    expect(await runNode(file, station)).toEqual({
      statuses: [201, 200, 422],
      code: 'invalid_zip',
      verdict: 'OK',
    });
  });

  test.each(['fake-worker.mjs', 'fake-worker.cjs'])(
    'runs a scripted worker that crashes and its successor, by %s',
    async (file) => {
      expect(await runNode(file)).toEqual({ status: 'OK', attempts: 2, processes: 2 });
    },
  );

  test('knows its errors across its ESM and its CommonJS copy', async () => {
    expect(await runNode('two-copies.mjs')).toEqual({
      sameNames: true,
      sameClass: false,
      isInstance: true,
      isRunnerError: true,
    });
  });

  test('does nothing when it is imported', async () => {
    expect(await runNode('import-only.mjs')).toEqual({
      sameListeners: true,
      sameGlobals: true,
      sameEmit: true,
      resources: [],
    });
  });
});

describe('its declarations hold, all of them checked', () => {
  test.each([
    ['node16, from an ES module', 'consumer.mts', { module: 'node16', moduleResolution: 'node16' }],
    ['node16, from CommonJS', 'consumer.cts', { module: 'node16', moduleResolution: 'node16' }],
    ['a bundler', 'consumer.ts', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('for %s', async (title, file, options) => {
    const config = path.join(project, `tsconfig.${title.replace(/\W+/g, '-')}.json`);
    if (file !== 'consumer.ts') await copyFile(path.join(project, 'consumer.ts'), path.join(project, file));
    const lib = ['ES2022', 'ESNext.Disposable'];
    const compilerOptions = {
      ...options,
      target: 'es2022',
      lib,
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
    };
    await writeFile(config, JSON.stringify({ compilerOptions, files: [file] }));
    const faults = await run(process.execPath, [tsc, '-p', config]).then(
      () => 'none',
      (error: unknown) => (error as { stdout: string }).stdout || String(error),
    );
    expect(faults).toBe('none');
  });
});

describe('a bundler keeps of it only what is used', () => {
  test.each([
    ['FramePool', 146_000],
    ['RunnerError', 15_000],
    ['Registry', 210_000],
  ])('an import of %s alone is at most %i bytes', async (name, limit) => {
    const { outputFiles } = await build({
      stdin: { contents: `export { ${name} } from 'procvision-runner';`, resolveDir: project },
      bundle: true,
      platform: 'node',
      format: 'esm',
      write: false,
      external: ['koffi', 'unzipper', 'lockfile', 'cross-spawn', 'valibot', 'eventemitter3', 'tslib/*'],
    });
    const text = outputFiles[0]?.text ?? '';
    expect(text).toContain(`  ${name}\n};`);
    expect(text).not.toContain('AlgorithmSupervisor');
    expect(text.length).toBeLessThanOrEqual(limit);
  });
});
