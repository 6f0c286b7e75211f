import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { containmentOrder } from '../../src/process/containment.js';
import { ancestorsOf, livenessOf, ownIdentity, seen } from '../../src/process/identity.js';
import { lifeAt, showLife } from '../../src/process/life.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function startTimeOf(pid: number): Promise<{ state: string; startTime: string }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
}

test('this process is alive', async () => {
  expect(await livenessOf(await ownIdentity())).toBe('alive');
});

test('a process that has ended is dead', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  expect(await livenessOf({ ...(await ownIdentity()), pid: child.pid ?? 0 })).toBe('dead');
});

test.each([
  ['on another host', { host: 'elsewhere' }, 'unknown'],
  ['before the last boot', { bootId: 'another' }, 'dead'],
  ['on another machine of the same name', { bootId: 'another', machine: 'another' }, 'unknown'],
  ['in another pid namespace', { pidNamespace: 'pid:[1]' }, 'unknown'],
] as const)('a process %s is as far as can be told from here', async (_, change, liveness) => {
  expect(await livenessOf({ ...(await ownIdentity()), ...change })).toBe(liveness);
});

test('one that did not say when it started cannot be told from another with its pid: unknown, and dead once the pid is free', async () => {
  const own = await ownIdentity();
  expect(await livenessOf({ ...own, startTime: '' })).toBe('unknown');
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  expect(await livenessOf({ ...own, startTime: '', pid: child.pid ?? 0 })).toBe('dead');
});

test('Windows tells when a process was started, where koffi asks it; a process that it does not tell of is not seen', async () => {
  const told = { startTime: '134404009799714460', hasEnded: false };
  const windows = {
    process: (pid: number) => (pid === 7 ? told : undefined),
    usage: () => undefined,
    holders: () => Promise.resolve([]),
  };
  expect(await seen(7, windows)).toEqual(told);
  expect(await seen(process.pid, windows)).toBeUndefined();
});

/** A `/proc` with these processes: each has its parent. */
async function fakeProc(parents: Readonly<Record<number, number>>): Promise<string> {
  const proc = await temporaryFolder();
  for (const [pid, parent] of Object.entries(parents)) {
    await mkdir(path.join(proc, pid));
    await writeFile(path.join(proc, pid, 'stat'), `${pid} (a (b) c) S ${parent} 1 1 0`);
  }
  return proc;
}

test.each([
  ['up to the first process, which may be hidden', { 9: 7, 7: 1 }, { ids: [9, 7, 1], isWhole: true }],
  ['up to one whose parent is outside of the namespace', { 9: 7, 7: 0 }, { ids: [9, 7], isWhole: true }],
  ['up to one that cannot be read, which is no proof', { 9: 7 }, { ids: [9, 7], isWhole: false }],
  ['itself alone where it has ended, which is no proof', {}, { ids: [9], isWhole: false }],
])('the ancestors of a process are read %s', async (_, parents, found) => {
  expect(await ancestorsOf(9, await fakeProc(parents))).toEqual(found);
});

test('the order of a process in bounds says which PID namespace its host counts in', async () => {
  const { pidNamespace } = await ownIdentity();
  expect(containmentOrder({ root: '/x' })).toMatchObject({ host: process.pid, pid_namespace: pidNamespace });
  if (process.platform === 'linux') expect(pidNamespace).toMatch(/^pid:\[\d+\]$/);
});

describe.skipIf(process.platform !== 'linux')('on Linux', () => {
  test('a pid that was given to a process started at another time is dead', async () => {
    expect(await livenessOf({ ...(await ownIdentity()), startTime: '1' })).toBe('dead');
  });

  test('a zombie is dead', async () => {
    // The parent never waits for its child: it stays a zombie as long as the parent lives.
    const parent = spawn('python3', [
      '-c',
      'import os,sys,time\npid=os.fork()\nif pid==0: os._exit(0)\nos.waitid(os.P_PID,pid,os.WEXITED|os.WNOWAIT)\nprint(pid,flush=True)\nsys.stdin.read()',
    ]);
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [text] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(text.toString());
    const { state, startTime } = await startTimeOf(pid);
    expect(state).toBe('Z');
    expect(await livenessOf({ ...(await ownIdentity()), pid, startTime })).toBe('dead');
  });

  test('a process whose main thread has ended while another runs is alive', async () => {
    const child = spawn('python3', [
      '-c',
      'import ctypes,sys,threading\n' +
        'threading.Thread(target=sys.stdin.read).start()\n' +
        'print("up",flush=True)\nctypes.CDLL(None).pthread_exit(None)',
    ]);
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    const pid = child.pid ?? 0;
    const { startTime } = await startTimeOf(pid);
    while ((await startTimeOf(pid)).state !== 'Z') await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await livenessOf({ ...(await ownIdentity()), pid, startTime })).toBe('alive');
  });
});

test('on Windows a sign of life is asked whatever its process took for the device of the folder, as Nodes differ in that', async () => {
  const folder = await temporaryFolder();
  await using life = await showLife(folder, 'life');
  // Its name is the path of a pipe there, elsewhere that of a socket in the folder.
  const name = path.join(folder, life?.mark.name ?? '');
  const pipe = process.platform === 'win32' ? (life?.mark.name ?? '') : name;
  expect(await lifeAt(folder, { name: pipe, device: '0' }, 'win32')).toBe('alive');
  await life?.close();
  expect(await lifeAt(folder, { name: pipe, device: '0' }, 'win32')).toBe('dead');
  expect(await lifeAt(folder, { name: 'life', device: '0' }, 'linux')).toBe('unknown');
});
