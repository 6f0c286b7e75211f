import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { standBack, standBackSession } from '../../src/process/priority.js';

const STEP = 10;
const isLinux = process.platform === 'linux';
/** Whether this process may give a process its priority back (CAP_SYS_NICE or RLIMIT_NICE). */
const mayRaise = isLinux && (() => {
  const child = spawn('sleep', ['60']);
  try {
    return standBack(child.pid ?? 0) !== undefined;
  } finally {
    child.kill('SIGKILL');
  }
})(); // prettier-ignore
const NO_RIGHT = !mayRaise;
const MAY_MOUNT = isLinux && spawnSync('unshare', ['--mount', 'true']).status === 0;

/** A process that has said it is there. */
async function started(command: string, args: string[]): Promise<ChildProcess & { pid: number }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(async () => {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  });
  await once(child.stdout, 'data');
  return child as typeof child & { pid: number };
}

const python = (source: string) => started('python3', ['-c', source]);
const WAITING = 'import sys; print(1, flush=True); sys.stdin.read()';

/** The next line with anything in it: a pipe may bring the end of the line before in a piece of its own. */
async function lineOf({ stdout }: ChildProcess): Promise<string> {
  let text = '';
  while (!/\S.*\n/.test(text)) text += String((await once(stdout as NodeJS.ReadableStream, 'data'))[0]);
  return text.trim();
}

const nicesOf = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).map((thread) => os.getPriority(Number(thread)));

describe.skipIf(NO_RIGHT)('where the priority can be given back', () => {
  test('a process that starts is 10 steps nicer than this one, until it is stepped forward', async () => {
    const { pid } = await python(WAITING);
    const own = os.getPriority();
    const stepForward = standBack(pid);
    expect(os.getPriority(pid)).toBe(own + STEP);
    stepForward?.();
    expect(os.getPriority(pid)).toBe(own);
    expect(os.getPriority()).toBe(own);
  });

  test('its threads, and the processes that it has started, step forward with it', async () => {
    const child = await python(`
import subprocess, sys, threading
sys.stdin.readline()
other = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE)
for _ in range(3):
    threading.Thread(target=other.wait, daemon=True).start()
print(other.pid, flush=True)
sys.stdin.read()`.replace('sys.stdin.readline()', 'print(0, flush=True); sys.stdin.readline()')); // prettier-ignore
    const own = os.getPriority();
    const stepForward = standBack(child.pid);
    const answer = lineOf(child);
    child.stdin?.write('go\n');
    const other = Number(await answer);
    expect(nicesOf(child.pid)).toEqual([own + STEP, own + STEP, own + STEP, own + STEP]);
    expect(nicesOf(other)).toEqual([own + STEP]);
    stepForward?.();
    expect(nicesOf(child.pid)).toEqual([own, own, own, own]);
    expect(nicesOf(other)).toEqual([own]);
  });

  test('a thread that has put itself further back, as by limits.nice, stays there', async () => {
    const child = await python(`import os, sys
print(0, flush=True)
sys.stdin.readline()
os.nice(3)
print(1, flush=True)
sys.stdin.read()`);
    const own = os.getPriority();
    const stepForward = standBack(child.pid);
    const answer = lineOf(child);
    child.stdin?.write('go\n');
    await answer;
    stepForward?.();
    expect(os.getPriority(child.pid)).toBe(own + STEP + 3);
  });

  test('a host that is so nice itself that 10 steps more are none stays as it is, and so does its child', async () => {
    const { pid } = await python(WAITING);
    const own = os.getPriority();
    onTestFinished(() => os.setPriority(own));
    os.setPriority(15);
    expect(standBack(pid)).toBeUndefined();
    expect(os.getPriority(pid)).toBe(own);
  });

  test('a process that is gone is nothing to step forward', async () => {
    const child = spawn('true');
    const pid = child.pid ?? 0;
    const stepForward = standBack(pid);
    await once(child, 'exit');
    expect(() => stepForward?.()).not.toThrow();
    expect(standBack(pid)).toBeUndefined();
  });
});

test.skipIf(!isLinux || process.getuid?.() !== 0)(
  'without CAP_SYS_NICE and RLIMIT_NICE nothing is lowered, for it could not be raised again',
  async () => {
    const script = `
      const { standBack } = await import(${JSON.stringify(new URL('../../src/process/priority.ts', import.meta.url).href)});
      const { spawn } = await import('node:child_process');
      const os = await import('node:os');
      const child = spawn('sleep', ['60']);
      const undo = standBack(child.pid);
      console.log(JSON.stringify([undo === undefined, os.getPriority(child.pid) === os.getPriority()]));
      child.kill('SIGKILL');`;
    const args = [
      '--bounding-set',
      '-sys_nice',
      '--inh-caps',
      '-sys_nice',
      '--reuid',
      '65534',
      '--clear-groups',
    ];
    const host = spawn('setpriv', [...args, process.execPath, '--import', 'tsx', '-e', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(host, 'close');
    let [said, complaint] = ['', ''];
    host.stdout.on('data', (text: Buffer) => (said += text.toString()));
    host.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
    await ended;
    expect({ said: said.trim(), complaint }).toEqual({ said: '[true,true]', complaint: '' });
  },
);

// Windows has priority classes, and the interpreter of an environment there is a launcher whose child is the worker; on macOS
// a priority cannot be raised again without rights: neither is touched.
test.each(['win32', 'darwin', 'freebsd'] as const)('on %s a process is left as it is', async (platform) => {
  const { pid } = await started(process.execPath, ['-e', 'console.log(1); setInterval(() => 0, 1e6)']);
  const own = os.getPriority(pid);
  expect(standBack(pid, platform)).toBeUndefined();
  expect(os.getPriority(pid)).toBe(own);
});

describe.skipIf(!existsSync('/proc/self/autogroup'))('where the kernel schedules sessions as groups', () => {
  // The file of a process that is in no group is empty.
  const niceOf = (pid: number | 'self') =>
    Number(/nice (-?\d+)/.exec(readFileSync(`/proc/${pid}/autogroup`, 'latin1'))?.[1] ?? 0);

  test('a session that starts is 10 steps nicer than that of this process, until it is stepped forward', async () => {
    const { pid } = await started('setsid', ['python3', '-c', WAITING]);
    const [own, before] = [niceOf('self'), niceOf(pid)];
    const stepForward = await vi.waitUntil(() => standBackSession(pid), { timeout: 5_000 });
    expect(niceOf(pid)).toBe(own + STEP);
    stepForward();
    await expect.poll(() => niceOf(pid)).toBe(before);
    expect(niceOf('self')).toBe(own);
  });

  test('a process of the session of this one is left as it is, for the host would stand back with it', async () => {
    const { pid } = await python(WAITING);
    expect(standBackSession(pid)).toBeUndefined();
    expect(niceOf('self')).toBe(niceOf(pid));
  });

  test.skipIf(!MAY_MOUNT)(
    'a host that is in no group itself lets the session that starts stand back, too',
    async () => {
      const script = `
      const { standBackSession } = await import(${JSON.stringify(new URL('../../src/process/priority.ts', import.meta.url).href)});
      const { spawn } = await import('node:child_process');
      const { once } = await import('node:events');
      const { readFileSync } = await import('node:fs');
      const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => 0, 1e6)'], { detached: true });
      await once(child.stdout, 'data');
      const niceOf = () => readFileSync('/proc/' + child.pid + '/autogroup', 'latin1').trim().split(' ').at(-1);
      const until = Date.now() + 5000;
      let undo;
      while (!(undo = standBackSession(child.pid)) && Date.now() < until) await new Promise(setImmediate);
      console.log(JSON.stringify([readFileSync('/proc/self/autogroup', 'latin1'), niceOf()]));
      child.kill('SIGKILL');`;
      // An empty file is laid over that of the host, in a mount namespace of its own: a process cannot leave its group by a call.
      const host = spawn('unshare', [
        '--mount',
        'sh',
        '-c',
        'mount --bind /dev/null /proc/$$/autogroup && exec "$@"',
        'sh',
        process.execPath,
        '--import',
        'tsx',
        '-e',
        script,
      ]);
      let said = '';
      host.stdout.on('data', (text: Buffer) => (said += text.toString()));
      await once(host, 'close');
      expect(said.trim()).toBe(JSON.stringify(['', String(STEP)]));
    },
  );

  test('a process that is gone is nothing to step forward', async () => {
    const child = spawn('setsid', ['sleep', '60']);
    const pid = child.pid ?? 0;
    const stepForward = standBackSession(pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(() => stepForward?.()).not.toThrow();
    expect(standBackSession(pid)).toBeUndefined();
  });
});
