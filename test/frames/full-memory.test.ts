import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { bundledScript } from '../support/bundled-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

const command = [process.execPath, await bundledScript('frame-host.ts')];

/** A file system of 1 MiB in memory at `$0`, for one command, without any right of root. */
const MOUNT = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"';
const canMount = (folder: string) =>
  spawnSync('unshare', ['-rm', 'sh', '-c', MOUNT, folder, 'true']).status === 0;

function parseLines(stdout: string): Record<string, unknown>[] {
  const lines = stdout.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test.runIf(process.platform === 'linux')(
  'where the system has no further slot an image is refused, and an idle one makes room for another shape',
  async () => {
    const limited = ['-c', 'ulimit -n 60 && exec "$@"', 'sh', ...command, 'full', await temporaryFolder()];
    const { stdout } = await promisify(execFile)('sh', limited);
    const [full, after] = parseLines(stdout);
    expect(full).toMatchObject({ frames: true, code: 'pool_full', mapped: true });
    expect(full?.slots).toBe(full?.isEachKept);
    expect(after).toEqual({ other: 9 });
  },
);

test('where the file system of frames is full the call fails and says where, and a smaller image is served', async (context) => {
  const folder = await temporaryFolder();
  if (!canMount(folder)) context.skip('this system lets nobody mount a small file system');
  const small = [...command, 'small', folder];
  const { stdout } = await promisify(execFile)('unshare', ['-rm', 'sh', '-c', MOUNT, folder, ...small]);
  expect(parseLines(stdout)).toEqual([{ code: 'ENOSPC', files: [] }, { files: ['f2.npy'] }]);
});

test('without a bound of its own a pool in sealed memory does not go by the file system of its folder, one of files does', async (context) => {
  const folder = await temporaryFolder();
  if (!canMount(folder)) context.skip('this system lets nobody mount a small file system');
  for (const [kind, code] of [
    ['memory', 'leased'],
    ['files', 'pool_full'],
  ] as const) {
    const host = [...command, 'default', folder, kind];
    const { stdout } = await promisify(execFile)('unshare', ['-rm', 'sh', '-c', MOUNT, folder, ...host]);
    expect(parseLines(stdout)).toEqual([{ code, mapped: kind === 'memory' }]);
  }
});
