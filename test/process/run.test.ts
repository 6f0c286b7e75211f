import { onTestFinished, expect, test, vi } from 'vitest';
import { run } from '../../src/process/run.js';

const options = { env: process.env, timeoutMs: 30_000 };

test.skipIf(process.platform === 'win32')(
  'does not wait for a grandchild in a session of its own that holds the pipes',
  { timeout: 20_000 },
  async () => {
    const code = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { detached: true, stdio: 'inherit' });
      console.log(child.pid);
      child.unref();
    `;
    const { exitCode, stdout } = await run(process.execPath, ['-e', code], options);
    onTestFinished(() => void process.kill(Number(stdout), 'SIGKILL'));
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^\d+\n$/) as string });
  },
);

test.skipIf(process.platform === 'win32')(
  'an abort after the end of a command signals nothing under its id, which may be of another process by then',
  { timeout: 20_000 },
  async () => {
    const code = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { detached: true, stdio: 'inherit' });
      console.log(process.pid, child.pid);
      child.unref();
    `;
    const aborting = new AbortController();
    const kill = vi.spyOn(process, 'kill');
    onTestFinished(() => {
      kill.mockRestore();
    });
    let [own, grandchild] = [0, 0];
    const running = run(process.execPath, ['-e', code], {
      ...options,
      signal: aborting.signal,
      onLine: (line) => ([own = 0, grandchild = 0] = line.split(' ').map(Number)),
    });
    onTestFinished(() => void process.kill(grandchild, 'SIGKILL'));
    // What it left in its group is ended as soon as it has ended itself; then its pipes are waited for.
    await expect.poll(() => kill.mock.calls.length, { timeout: 10_000 }).toBe(1);
    aborting.abort();
    await expect(running).rejects.toMatchObject({ code: 'aborted' });
    expect(kill.mock.calls).toEqual([[-own, 'SIGKILL']]);
  },
);
