import { readdirSync, readFileSync } from 'node:fs';
import { lutimes, open, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { livenessOf, ownIdentity } from '../../src/process/identity.js';
import { acquireLock, lockHolder } from '../../src/store/lock.js';
import {
  createOwnerFile,
  fingerprint,
  newOwner,
  readOwner,
  removeOwnerFile,
} from '../../src/store/lock-owner.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { bundledScript } from '../support/bundled-script.js';
import { canBox, startScript } from '../support/child-script.js';
import { leaveLock, leaveRecord } from '../support/left-lock.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

const lockPath = async () => path.join(await temporaryFolder(), 'x.lock');

/** Names of what is there, without the token in that of a sign of life. */
const filesOf = async (file: string) =>
  (await readdir(path.dirname(file))).map((name) => name.replace(/\.life-[0-9a-f]{16}$/, '.life'));

/** Of a lock that is held; on Windows the sign of life is a named pipe. */
const HELD = ['x.lock', ...(IS_WINDOWS ? [] : ['x.lock.life']), 'x.lock.owner'];

test('while a lock is held its owner can be read, and lockfile’s own file is there', async () => {
  const file = await lockPath();
  await using _lock = await acquireLock(file, { operation: 'install x 1' });
  expect(await lockHolder(file)).toMatchObject({ ...(await ownIdentity()), operation: 'install x 1' });
  expect(await filesOf(file)).toEqual(HELD);
});

test('release is safe to call twice and leaves nothing', async () => {
  const file = await lockPath();
  const lock = await acquireLock(file, { operation: 'a' });
  await Promise.all([lock.release(), lock.release()]);
  await lock.release();
  expect(await readdir(path.dirname(file))).toEqual([]);
});

test('the lock of a process that was killed is taken at once', async () => {
  const file = await lockPath();
  const run = await startScript('signal-host.ts', ['none', file], (line) => {
    if (line === 'ready') run.process.kill('SIGKILL');
  });
  expect(await run.end).toMatchObject({ signal: 'SIGKILL' });
  expect(await lockHolder(file)).toMatchObject({ pid: run.process.pid });
  await using lock = await acquireLock(file, { operation: 'next', timeoutMs: 0 });
  expect(await lockHolder(file)).toMatchObject({ token: lock.owner.token });
});

test.skipIf(!canBox())(
  'the lock of a holder in another container is kept while that is stopped, and taken at once when it is killed',
  async () => {
    const file = await lockPath();
    const run = await startScript('signal-host.ts', ['none', file], undefined, { inBox: true });
    await vi.waitFor(() => {
      expect(run.output()).toContain('ready');
    }, 20_000);
    const holder = await lockHolder(file);
    expect(holder).toMatchObject({ host: 'box', pid: 1 });
    expect(holder?.pidNamespace).not.toBe((await ownIdentity()).pidNamespace);
    const [stopped = 0] = holdersOf(file);
    process.kill(stopped, 'SIGSTOP');
    await lutimes(`${file}.owner`, 1, 1);
    const waiting = { operation: 'next', timeoutMs: 300, silenceMs: 40 };
    await expect(acquireLock(file, waiting)).rejects.toMatchObject({ code: 'lock_timeout' });
    process.kill(stopped, 'SIGKILL');
    await run.end;
    await using lock = await acquireLock(file, { operation: 'next', timeoutMs: 0 });
    expect(await lockHolder(file)).toMatchObject({ token: lock.owner.token });
    expect(await filesOf(file)).toEqual(HELD);
  },
);

test('the lock of a thread that was ended is taken at once, though its process lives', async () => {
  const file = await lockPath();
  const thread = new Worker(await bundledScript('signal-host.ts'), { argv: ['none', file], stdout: true });
  let said = '';
  thread.stdout.on('data', (text: Buffer) => (said += text.toString()));
  await vi.waitFor(() => {
    expect(said).toContain('ready');
  }, 20_000);
  await expect(acquireLock(file, { operation: 'next', timeoutMs: 0 })).rejects.toMatchObject({
    code: 'lock_timeout',
  });
  await thread.terminate();
  await using lock = await acquireLock(file, { operation: 'next', timeoutMs: 0 });
  expect(lock.owner.pid).toBe(process.pid);
});

test.each([
  ['in a folder whose path', 'x'.repeat(120), 'x.lock'],
  ['whose name', 'x', `${'x'.repeat(195)}.lock`],
  ['with a folder and a name that each', 'x'.repeat(120), `${'0'.repeat(64)}.lock`],
])('a lock %s is too long for a socket shows its holder’s life as well', async (_, folder, name) => {
  const file = path.join(await temporaryFolder(), folder, name);
  await using lock = await acquireLock(file, { operation: 'a' });
  expect(await livenessOf(lock.owner, path.dirname(file))).toBe('alive');
  await lock.release();
  expect(await livenessOf(lock.owner, path.dirname(file))).toBe('dead');
});

// On Windows the sign is a named pipe, which nobody can remove.
test.skipIf(IS_WINDOWS)(
  'a waiter whose sign of life was removed shows it anew before it can become the owner',
  async () => {
    const file = await lockPath();
    const first = await acquireLock(file, { operation: 'a' });
    const next = acquireLock(file, { operation: 'b' });
    const others = async () =>
      (await readdir(path.dirname(file))).filter(
        (name) => name.includes('.life-') && name !== first.owner.life?.name,
      );
    await vi.waitFor(async () => {
      expect(await others()).toHaveLength(1);
    });
    for (const name of await others()) await rm(path.join(path.dirname(file), name));
    await vi.waitFor(async () => {
      expect(await others()).toHaveLength(1);
    });
    await first.release();
    await using lock = await next;
    expect(await livenessOf(lock.owner, path.dirname(file))).toBe('alive');
  },
);

// On Windows all of a machine see its named pipes, and the device says nothing.
test.skipIf(IS_WINDOWS)(
  'a sign of life seen by another mount says nothing: the folder’s device tells',
  async () => {
    const file = await lockPath();
    await using lock = await acquireLock(file, { operation: 'a' });
    const life = { name: 'gone', device: 'another' };
    expect(await livenessOf({ ...lock.owner, life }, path.dirname(file))).toBe('alive'); // by its pid
    expect(await livenessOf({ ...lock.owner, life, host: 'x', pidNamespace: 'x' }, path.dirname(file))).toBe(
      'unknown',
    );
  },
);

test('of many that wait for the lock of a dead process each gets it, one after the other', async () => {
  const file = await lockPath();
  await leaveLock(file, { startTime: '1' });
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      await using _lock = await acquireLock(file, { operation: `n ${n}` });
      most = Math.max(most, (inside += 1));
      await new Promise(setImmediate);
      inside -= 1;
    }),
  );
  expect(most).toBe(1);
  expect(await readdir(path.dirname(file))).toEqual([]);
});

test('a claim whose claimer was killed in the middle of taking over does not stand in the way, and goes', async () => {
  const file = await lockPath();
  await leaveLock(file, { startTime: '1', token: 'dead' });
  await leaveRecord(`${file}.claim-dead`, 'claim', { startTime: '2', token: 'too' });
  await using _lock = await acquireLock(file, { operation: 'next', timeoutMs: 2_000 });
  expect(await filesOf(file)).toEqual(HELD);
});

test('a holder on another host keeps its lock: lock_timeout names it', async () => {
  const file = await lockPath();
  await leaveLock(file, { host: 'line-7', pid: 42 });
  await expect(acquireLock(file, { operation: 'install', timeoutMs: 30 })).rejects.toMatchObject({
    code: 'lock_timeout',
    message: expect.stringContaining('process 42 on line-7 (left, since') as string,
    details: { path: file, timeoutMs: 30, holder: { host: 'line-7' } },
  });
});

test('a holder on another host that is silent loses its lock to one that waits as long as by default', async () => {
  const file = await lockPath();
  await leaveLock(file, { host: 'line-7' });
  // A quarter of the silence is watched: 15 of the 30 seconds of the defaults.
  await using lock = await acquireLock(file, { operation: 'next', timeoutMs: 30_000, silenceMs: 300 });
  expect(await lockHolder(file)).toMatchObject({ token: lock.owner.token });
});

test('a holder on another host that refreshes keeps its lock, whatever time its clock tells', async () => {
  const file = await lockPath();
  await leaveLock(file, { host: 'line-7' });
  let seconds = 0;
  const refresh = setInterval(() => void lutimes(`${file}.owner`, (seconds += 1), 1), 20);
  onTestFinished(() => {
    clearInterval(refresh);
  });
  await expect(
    acquireLock(file, { operation: 'next', timeoutMs: 1_700, silenceMs: 1_500 }),
  ).rejects.toMatchObject({ code: 'lock_timeout' });
});

test('a lock says again and again that its holder lives, until it is released', async () => {
  const file = await lockPath();
  await using _lock = await acquireLock(file, { operation: 'a', refreshMs: 5 });
  const marks = new Set<string | undefined>();
  while (marks.size < 4) marks.add(await fingerprint(`${file}.owner`));
});

test('a claim left by another host does not stand in the way for ever', async () => {
  const file = await lockPath();
  await leaveLock(file, { startTime: '1', token: 'dead' });
  await leaveRecord(`${file}.claim-dead`, 'claim', { host: 'line-7', token: 'gone' });
  await expect(acquireLock(file, { operation: 'next', timeoutMs: 0 })).rejects.toMatchObject({
    code: 'lock_timeout',
  });
  await using _lock = await acquireLock(file, { operation: 'next', timeoutMs: 30_000, silenceMs: 100 });
  expect(await filesOf(file)).toEqual(HELD);
});

test('a living holder of this host keeps its lock, however long ago it was refreshed', async () => {
  const file = await lockPath();
  await using lock = await acquireLock(file, { operation: 'a' });
  await lutimes(`${file}.owner`, 1, 1);
  await expect(acquireLock(file, { operation: 'b', timeoutMs: 30 })).rejects.toMatchObject({
    code: 'lock_timeout',
  });
  await lock.assertHeld();
});

test('a holder that was taken for dead is told lock_lost, and leaves the lock of the next one alone', async () => {
  const file = await lockPath();
  const lock = await acquireLock(file, { operation: 'a' });
  await rm(`${file}.owner`);
  await rm(file);
  await using next = await acquireLock(file, { operation: 'b' });
  await expect(lock.assertHeld()).rejects.toMatchObject({ code: 'lock_lost', retryable: true });
  await lock.release();
  await next.assertHeld();
});

test('waiting ends with AbortError when aborted', async () => {
  const file = await lockPath();
  await using _lock = await acquireLock(file, { operation: 'a' });
  const signal = AbortSignal.timeout(20);
  await expect(acquireLock(file, { operation: 'b', signal })).rejects.toMatchObject({ name: 'AbortError' });
});

test('where links cannot be made the owner is a file, created by one only and read the same', async () => {
  const file = await lockPath();
  const owner = await newOwner('x'.repeat(10_000));
  expect(owner.operation.length).toBeLessThan(300);
  const made = await Promise.all([1, 2, 3].map(() => createOwnerFile(file, owner, 'win32')));
  expect(made.filter(Boolean)).toHaveLength(1);
  expect(await readOwner(file)).toEqual(owner);
});

test('an owner file that is removed on Windows frees its name while somebody still has it open', async () => {
  const file = await lockPath();
  const owners = [await newOwner('a'), await newOwner('b')] as const;
  const isToken = (token: string) => async () => (await readOwner(file))?.token === token;
  await createOwnerFile(file, owners[0], 'win32');
  await using _reader = await open(file);
  await removeOwnerFile(file, isToken(owners[0].token), 'win32');
  expect(await createOwnerFile(file, owners[1], 'win32')).toBe(true);
  expect(await readOwner(file)).toEqual(owners[1]);
});

test.each(IS_WINDOWS ? (['win32'] as const) : (['win32', 'linux'] as const))(
  'removing an owner on %s leaves alone what the next one has made, and an absent file is fine',
  async (platform) => {
    const file = await lockPath();
    const [first, second] = [await newOwner('a'), await newOwner('b')];
    const isFirst = async () => (await readOwner(file))?.token === first.token;
    await createOwnerFile(file, second, platform);
    await removeOwnerFile(file, isFirst, platform);
    expect(await readOwner(file)).toEqual(second);
    await rm(file);
    await removeOwnerFile(file, () => Promise.resolve(true), platform);
    expect(await readdir(path.dirname(file))).toEqual([]);
  },
);

test('a release on Windows that must wait for a file that others hold does not remove the owner that came meanwhile', async () => {
  const file = await lockPath();
  const [first, second] = [await newOwner('a'), await newOwner('b')];
  await createOwnerFile(file, first, 'win32');
  let attempts = 0;
  await removeOwnerFile(
    file,
    async () => {
      const isFirst = (await readOwner(file))?.token === first.token;
      if (++attempts > 1) return isFirst;
      // Somebody else removes the owner between the first attempt, which is refused, and the second.
      await rm(file);
      await createOwnerFile(file, second, 'win32');
      throw Object.assign(new Error('EPERM: held'), { code: 'EPERM' });
    },
    'win32',
  );
  expect(attempts).toBe(2);
  expect(await readOwner(file)).toEqual(second);
});

test('without hard links an owner file is written in two steps, and one that was removed between them is not held', async () => {
  const file = await lockPath();
  const folder = path.dirname(file);
  const owner = await newOwner('a');
  const noLinks = { mode: 'fail', at: { call: 'link', target: '' }, code: 'ENOTSUP' as 'EPERM' } as const;
  using _without = watchFileSteps(folder, noLinks);
  expect(await createOwnerFile(file, owner, 'win32')).toBe(true);
  expect(await readOwner(file)).toEqual(owner);
  expect(await createOwnerFile(file, owner, 'win32')).toBe(false);
  expect(await readdir(folder)).toEqual([path.basename(file)]);
});

test('what a killed process left of an owner file on its way is swept when it is old, and not before', async () => {
  const file = await lockPath();
  const [old, fresh] = [`${file}.owner.scratch-1`, `${file}.claim-2.scratch-3`];
  for (const one of [old, fresh]) await writeFile(one, 'x');
  const minutesAgo = new Date(Date.now() - 120_000);
  await utimes(old, minutesAgo, minutesAgo);
  await (await acquireLock(file, { operation: 'a' })).release();
  expect(await readdir(path.dirname(file))).toEqual([path.basename(fresh)]);
});

/** Processes of this machine, by our count, that were started for this lock file. */
function holdersOf(file: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const command = (() => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        } catch {
          return [];
        }
      })();
      return command[0] === process.execPath && command.includes(file);
    })
    .map(Number);
}
