import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temp-folder.js';

const host = fileURLToPath(new URL('../support/frame-host.ts', import.meta.url));

/** A file system of 1 MiB in memory at `$0`, for one command, without any right of root. */
const MOUNT = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"';
const canMount = (folder: string) =>
  spawnSync('unshare', ['-rm', 'sh', '-c', MOUNT, folder, 'true']).status === 0;

test('where memory is full an image is refused, and a mapped write does not end the host', async (context) => {
  const folder = await temporaryFolder();
  if (!canMount(folder)) context.skip('this system lets nobody mount a small file system');
  const command = [process.execPath, '--import', 'tsx', host, 'full', folder];
  const { stdout } = await promisify(execFile)('unshare', ['-rm', 'sh', '-c', MOUNT, folder, ...command]);
  const [full, after] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(full).toMatchObject({
    frames: 1,
    code: 'pool_full',
    slots: 1,
    bytes: 1024 * 600 + 128,
    mapped: true,
  });
  expect(after).toEqual({ other: 9 });
});
