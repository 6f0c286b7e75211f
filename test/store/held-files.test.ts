import { access, chmod, link, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { renameOver } from '../../src/store/atomic-file.js';
import { createOwnerFile, newOwner, readOwner } from '../../src/store/lock-owner.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { whileHeld } from '../../src/store/held-files.js';
import { makeFolders, plainPath } from '../../src/store/plain-path.js';
import { removeTree } from '../../src/store/remove-tree.js';
import { inTemporaryFolder } from '../../src/store/temporary-folder.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const refusal = (code: string) =>
  Object.assign(new Error(`${code}: held`), { code, errno: -1, path: 'C:\\a', syscall: 'rename' });

test.each(['EPERM', 'EACCES', 'EBUSY'])(
  'what is held on Windows (%s) is tried again until it is free',
  async (code) => {
    let attempts = 0;
    const work = () => (++attempts < 4 ? Promise.reject(refusal(code)) : Promise.resolve('done'));
    expect(await whileHeld('rename C:\\a', work, { platform: 'win32' })).toBe('done');
    expect(attempts).toBe(4);
  },
);

test('what stays held fails after its time with the code of the system, and says how to find the holder', async () => {
  const work = () => Promise.reject(refusal('EBUSY'));
  const failed = whileHeld('rename C:\\a', work, { platform: 'win32', limitMs: 50 });
  await expect(failed).rejects.toMatchObject({
    ...{ code: 'EBUSY', path: 'C:\\a', syscall: 'rename' },
    message: expect.stringMatching(/^EBUSY: cannot rename C:\\a: .*resmon\.exe/) as string,
  });
  // Of two bounds one in the other, the inner one names the file.
  const outer = whileHeld(
    'remove C:\\',
    () => whileHeld('remove C:\\a', work, { platform: 'win32', limitMs: 0 }),
    {
      platform: 'win32',
    },
  );
  await expect(outer).rejects.toThrow('cannot remove C:\\a');
});

test.each([
  [['explorer.exe (process 7)'], /explorer\.exe \(process 7\) holds it\. Close it/],
  [['a (process 7)', 'b (process 8)'], /a \(process 7\), b \(process 8\) hold it\. Close them/],
])(
  'the message names the programs that hold it, where the system tells them: %j',
  async (programs, named) => {
    const asked: string[] = [];
    const holders = (file: string) => {
      asked.push(file);
      return file === 'C:\\b' ? Promise.resolve(programs) : Promise.reject(new Error('no service'));
    };
    const work = () => Promise.reject(Object.assign(refusal('EPERM'), { dest: 'C:\\b' }));
    const failed = whileHeld('rename C:\\a to C:\\b', work, { platform: 'win32', limitMs: 0, holders });
    await expect(failed).rejects.toThrow(named);
    await expect(failed).rejects.not.toThrow('resmon');
    expect(asked).toEqual(['C:\\a', 'C:\\b']);
  },
);

test.each([
  ['win32', 'ENOENT'],
  ['linux', 'EPERM'],
] as const)('on %s %s is no passing fault', async (platform, code) => {
  let attempts = 0;
  const work = () => {
    attempts++;
    return Promise.reject(refusal(code));
  };
  await expect(whileHeld('rename C:\\a', work, { platform })).rejects.toMatchObject({
    message: `${code}: held`,
  });
  expect(attempts).toBe(1);
});

test('a sealed tree is removed as on Windows, and a file that it shares keeps its seal', async () => {
  const folder = await temporaryFolder();
  const [tree, shared] = [path.join(folder, 'tree'), path.join(folder, 'shared')];
  await mkdir(path.join(tree, 'inner'), { recursive: true });
  await writeFile(path.join(tree, 'inner/file'), 'text');
  await chmod(path.join(tree, 'inner/file'), 0o444);
  await link(path.join(tree, 'inner/file'), shared);
  await removeTree(tree, { platform: 'win32' });
  expect(await readdir(folder)).toEqual(['shared']);
  expect((await stat(shared)).mode & 0o222).toBe(0);
  await removeTree(tree, { platform: 'win32' }); // absent is fine
});

test.each([
  ['\\\\?\\C:\\Users\\a', 'C:\\Users\\a'],
  ['\\\\?\\UNC\\server\\share\\a', '\\\\server\\share\\a'],
  ['\\\\?\\Volume{0b1c}\\a', '\\\\?\\Volume{0b1c}\\a'],
  ['\\\\server\\share\\a', '\\\\server\\share\\a'],
  ['/usr/lib', '/usr/lib'],
])('the plain path of %s is %s', (given, plain) => {
  expect(plainPath(given)).toBe(plain);
});

test('the outermost of the folders that had to be made is told', async () => {
  const folder = await temporaryFolder();
  expect(await makeFolders(path.join(folder, 'a/b/c'))).toBe(path.join(folder, 'a'));
  expect(await makeFolders(path.join(folder, 'a'))).toBeUndefined();
  await access(path.join(folder, 'a/b/c'));
});

test('a rename that others hold up on Windows comes about, and the lock of a file that is going is made', async () => {
  const folder = await temporaryFolder();
  const [from, to] = [path.join(folder, 'from'), path.join(folder, 'to')];
  const lock = path.join(folder, 'x.lock.owner');
  await writeFile(from, 'text');
  const platform = 'win32';
  {
    using _held = watchFileSteps(folder, {
      mode: 'fail',
      at: { call: 'rename', target: 'to' },
      code: 'EBUSY',
      times: 3,
    });
    await renameOver(from, to, { platform });
  }
  expect(await readdir(folder)).toEqual(['to']);
  {
    using _going = watchFileSteps(folder, {
      mode: 'fail',
      at: { call: 'link', target: 'x.lock.owner' },
      code: 'EPERM',
      times: 3,
    });
    expect(await createOwnerFile(lock, await newOwner('test'), platform)).toBe(true);
  }
  expect((await readOwner(lock, platform))?.operation).toBe('test');
});

test('a rename over a folder is refused at once on Windows with what the system says, whatever that is', async () => {
  const folder = await temporaryFolder();
  const [from, to] = [path.join(folder, 'from'), path.join(folder, 'to')];
  await mkdir(from);
  await mkdir(path.join(to, 'full'), { recursive: true });
  using steps = watchFileSteps(folder, {
    ...{ mode: 'fail', at: { call: 'rename', target: 'to' }, code: 'EPERM', times: Infinity },
  });
  await expect(renameOver(from, to, { platform: 'win32' })).rejects.toMatchObject({ code: 'EPERM' });
  expect(steps.steps.filter(({ call }) => call === 'rename')).toHaveLength(1);
});

test.runIf(IS_WINDOWS)(
  'a read-only file keeps its mark when another name of it goes with a temporary folder',
  async () => {
    const folder = await temporaryFolder();
    const kept = path.join(folder, 'kept');
    await writeFile(kept, 'text');
    await chmod(kept, 0o444);
    await inTemporaryFolder('work-', (work) => link(kept, path.join(work, 'name')), folder);
    expect(await readdir(folder)).toEqual(['kept']);
    expect((await stat(kept)).mode & 0o222).toBe(0);
  },
);
