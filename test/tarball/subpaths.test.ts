import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, inject, test } from 'vitest';

const run = promisify(execFile);
const project = inject('project');

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
