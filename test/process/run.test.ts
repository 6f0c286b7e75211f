import { onTestFinished, expect, test } from 'vitest';
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
