import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { acquireLock } from '../../src/store/lock.js';
import { startScript } from '../support/child-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function host(mode: string, signal?: NodeJS.Signals) {
  const file = path.join(await temporaryFolder(), 'store.lock');
  const run = await startScript('signal-host.ts', [mode, file], (line) => {
    if (line === 'ready' && signal) run.process.kill(signal);
  });
  return { file, ...(await run.end) };
}

test.skipIf(process.platform === 'win32').each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  'a host without listeners that holds a lock dies of %s itself, and the next one gets the lock at once',
  async (signal) => {
    const { file, ...end } = await host('none', signal);
    expect(end).toMatchObject({ signal, exitCode: null });
    await using lock = await acquireLock(file, { operation: 'follow', timeoutMs: 5_000 });
    expect(lock.owner.operation).toBe('follow');
  },
);

test.skipIf(process.platform === 'win32')(
  'a host that ends in order on its one SIGTERM is not cut off, and keeps its exit code',
  async () => {
    const end = await host('once', 'SIGTERM');
    expect(end, end.stderr).toMatchObject({ signal: null, exitCode: 3 });
    expect(end.stdout.split('\n')).toEqual(expect.arrayContaining(['ending', 'ended']));
  },
);

test('a host that exits while it holds a lock has the exit code its own listener sets', async () => {
  const end = await host('exit');
  expect(end, end.stderr).toMatchObject({ signal: null, exitCode: 7 });
  expect(end.stdout).toContain('exit 5');
});

test('taking a lock leaves the listeners and the functions of process as they were, and no file after release', async () => {
  const { file, ...end } = await host('release');
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });
  expect(end.stdout).toContain('listeners same\nprocess same\n');
  expect(await readdir(path.dirname(file))).toEqual([]);
});
