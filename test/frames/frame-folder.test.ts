import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { defaultFrameRoot, makeFrameFolder, sweepFrameFolders } from '../../src/frames/frame-folder.js';
import { FramePool } from '../../src/frames/frame-pool.js';
import { isOneFile } from '../../src/frames/placed-file.js';
import { bundledScript } from '../support/bundled-script.js';
import { canBox, startScript } from '../support/child-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('frames go to shared memory where there is some to write to, else into the store, without one to the temp dir', async () => {
  const folder = await temporaryFolder();
  expect(await defaultFrameRoot({ platform: 'linux', sharedMemory: folder })).toBe(folder);
  for (const platform of ['linux', 'win32', 'darwin'] as const) {
    const without = { platform, sharedMemory: path.join(folder, 'missing') };
    expect(await defaultFrameRoot(without)).toBe(os.tmpdir());
    const inStore = path.join(folder, platform, '.frames');
    expect(await defaultFrameRoot({ ...without, inStore })).toBe(inStore);
    expect((await stat(inStore)).isDirectory()).toBe(true);
  }
});

test('a host that is killed leaves its frames, and the next one that starts sweeps them', async () => {
  const directory = await temporaryFolder();
  const host = await startScript('frame-host.ts', ['stay', directory], () => {
    host.process.kill('SIGKILL');
  });
  expect(await host.end).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  const [left = ''] = await readdir(directory);
  expect(await readdir(path.join(directory, left))).toContain('owner.json');
  await using pool = new FramePool({ directory });
  const own = path.basename(await pool.open());
  expect(await readdir(directory)).toEqual([own]);
});

test('the folder of a host that lives is not swept, nor one that another host is about to say is its own', async () => {
  const directory = await temporaryFolder();
  const { path: own } = await makeFrameFolder(directory);
  const starting = path.join(directory, 'procvision-frames-7-starting');
  await mkdir(starting);
  expect(await sweepFrameFolders(directory)).toEqual([]);
  const longAgo = new Date(Date.now() - 120_000);
  await utimes(starting, longAgo, longAgo);
  expect(await sweepFrameFolders(directory)).toEqual([starting]);
  expect(await readdir(directory)).toEqual([path.basename(own)]);
});

test.skipIf(!canBox())(
  'the folder of a host in another container is swept once that is killed, and not before',
  async () => {
    const directory = await temporaryFolder();
    const host = await startScript('frame-host.ts', ['stay', directory], undefined, { inBox: true });
    await vi.waitFor(async () => {
      const [left = ''] = await readdir(directory);
      expect(await readdir(path.join(directory, left))).toContain('owner.json');
    }, 20_000);
    expect(await sweepFrameFolders(directory)).toEqual([]);
    host.process.kill('SIGKILL');
    await host.end;
    expect(await sweepFrameFolders(directory)).toHaveLength(1);
    expect(await readdir(directory)).toEqual([]);
  },
);

test('the folder of a host in a thread that was ended is swept, and its memory by the next pool, though its process lives', async () => {
  const directory = await temporaryFolder();
  const thread = new Worker(await bundledScript('frame-host.ts'), {
    argv: ['stay', directory],
    stdout: true,
  });
  await vi.waitFor(async () => {
    const [left = ''] = await readdir(directory);
    expect(await readdir(path.join(directory, left))).toContain('owner.json');
  }, 20_000);
  expect(await sweepFrameFolders(directory)).toEqual([]);
  const [left = ''] = await readdir(directory);
  const isLinux = process.platform === 'linux'; // elsewhere there is no such memory
  await vi.waitFor(() => {
    if (isLinux) expect(memoryOf(left)).toEqual({ isMapped: true, isOpen: true });
  }, 20_000);
  await thread.terminate();
  expect(await sweepFrameFolders(directory)).toHaveLength(1);
  await using pool = new FramePool({ directory });
  const frame = await pool.lease({ width: 2, height: 2 });
  if (isLinux) expect(memoryOf(left)).toEqual({ isMapped: false, isOpen: false });
  await using next = new FramePool({ directory });
  await next.open();
  frame.pixels.fill(1); // a pool in use keeps its own
});

/** Sealed memory of a pool that this process has. */
function memoryOf(folder: string): { isMapped: boolean; isOpen: boolean } {
  const name = `/memfd:${folder}/`;
  const links = readdirSync('/proc/self/fd').map((number) => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`);
    } catch {
      return ''; // it was open to list the folder
    }
  });
  return {
    isMapped: readFileSync('/proc/self/maps', 'latin1').includes(name),
    isOpen: links.some((link) => link.startsWith(name)),
  };
}

test('the folder of a process whose pid another one has now is swept', async () => {
  const directory = await temporaryFolder();
  const { path: other } = await makeFrameFolder(directory);
  const file = path.join(other, 'owner.json');
  const owner = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ ...owner, startTime: '1', life: undefined }));
  expect(await sweepFrameFolders(directory)).toEqual([other]);
});

test.runIf(process.platform === 'linux')(
  'what others put beside our folders is neither read nor followed',
  async () => {
    const directory = await temporaryFolder();
    const precious = await temporaryFolder();
    const { path: dead, life } = await makeFrameFolder(precious);
    await life?.close();
    const owner = path.join(dead, 'owner.json');
    await writeFile(owner, JSON.stringify({ ...JSON.parse(await readFile(owner, 'utf8')), startTime: '1' }));
    await symlink(dead, path.join(directory, 'procvision-frames-1-link'));
    const trap = path.join(directory, 'procvision-frames-2-pipe');
    await mkdir(trap);
    execFileSync('mkfifo', [path.join(trap, 'owner.json')]);
    await writeFile(path.join(directory, 'procvision-frames-3-file'), '');
    const pool = new FramePool({ directory });
    onTestFinished(() => pool.close());
    await pool.open(); // would wait for the pipe
    expect(await readdir(dead)).toEqual(['owner.json']);
    expect(await readdir(directory)).toHaveLength(4);
  },
);

test('a file of frames is known by its number on Windows, where some Nodes tell no device of a path, and by both elsewhere', () => {
  const written = { inode: 7, device: 42 };
  const looks = (['win32', 'linux'] as const).map((platform) => [
    isOneFile({ ino: 7, dev: 0 }, written, platform),
    isOneFile({ ino: 7, dev: 42 }, written, platform),
    isOneFile({ ino: 8, dev: 42 }, written, platform),
  ]);
  expect(looks).toEqual([
    [true, true, false],
    [false, true, false],
  ]);
});
