import { spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { buildPackage } from '../../src/testing/index.js';
import { bundledScript } from '../support/bundled-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** Command lines of all processes that have this text in theirs (proc(5)). */
async function processesWith(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(text)).map((line) => line.replaceAll('\0', ' '));
}

/** Looks again and again; the test's own time limit ends it. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

test.skipIf(process.platform !== 'linux')(
  'a host killed in the middle of a trial run leaves no process of it behind',
  async () => {
    const folder = await temporaryFolder();
    const started = path.join(folder, 'started');
    const source = [
      'import subprocess, sys, time',
      `subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', ${JSON.stringify(folder)}])`,
      `open(${JSON.stringify(started)}, 'w').close()`,
      'time.sleep(600)',
    ].join('\n');
    const zip = path.join(folder, 'package.zip');
    const files = { 'algorithm/__init__.py': '', 'algorithm/main.py': source };
    await writeFile(zip, await buildPackage({ files }));
    const script = await bundledScript('deploy-host.ts');
    const host = spawn(process.execPath, [script, path.join(folder, 'store'), zip], {
      stdio: 'ignore',
    });
    await until(async () => (await readdir(folder)).includes('started'));
    expect((await processesWith(folder)).length).toBeGreaterThanOrEqual(3);
    host.kill('SIGKILL');
    await until(async () => (await processesWith(folder)).length === 0);
  },
);
