/** What compilers and bundlers make of the package: the same under each Node, so the other Nodes leave this file out. */
import { execFile } from 'node:child_process';
import { copyFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { describe, expect, inject, test } from 'vitest';

const run = promisify(execFile);
const project = inject('project');
const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));

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
    ['FramePool', 146_500],
    ['RunnerError', 15_000],
    ['Registry', 217_000],
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
