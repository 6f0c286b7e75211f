import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { assetPath } from '../../src/assets.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** A host that starts the launcher as a worker is started, and does nothing more. */
const HOST = `
const [launcher, root] = process.argv.slice(1);
const env = { ...process.env, PROCVISION_WORKER: 'token of ' + root, WORKER_ROOT: root };
const order = JSON.stringify({ host: process.pid, root, namespaces: process.argv[3] === 'auto' });
require('node:child_process').spawn('python3', ['-S', launcher, order, 'main.py'], {
  cwd: root, env, detached: true, stdio: 'ignore',
});
setInterval(() => undefined, 60_000);`;

/** An algorithm with a child in its group and one that has left it; it heeds no signal that can be ignored. */
const WORKER = `import signal, subprocess, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
subprocess.Popen(["sleep", "600"])
subprocess.Popen(["sleep", "600"], start_new_session=True)
open("ready", "w").close()
while True: pass
`;

test.runIf(process.platform === 'linux').each(['auto', 'off'])(
  'a second after its host died by SIGKILL a busy worker is gone, and its children in and out of its group; namespaces: %s',
  async (namespaces) => {
    const root = await temporaryFolder();
    await writeFile(path.join(root, 'main.py'), WORKER);
    const host = spawn(process.execPath, ['-e', HOST, assetPath('worker/launch.py'), root, namespaces]);
    await vi.waitFor(() => {
      expect(existsSync(path.join(root, 'ready'))).toBe(true);
    }, 20_000);
    await expect.poll(() => marked(root).length).toBeGreaterThanOrEqual(4); // worker, watcher, two children
    const exited = once(host, 'exit');
    host.kill('SIGKILL');
    await exited;
    const diedAt = performance.now();
    await vi.waitFor(
      () => {
        expect(marked(root)).toEqual([]);
      },
      { timeout: 10_000, interval: 10 },
    );
    expect(performance.now() - diedAt).toBeLessThan(1_000);
  },
);

/** Processes that the worker and what it started have become. */
function marked(root: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`WORKER_ROOT=${root}\0`);
    } catch {
      return false;
    }
  });
}
