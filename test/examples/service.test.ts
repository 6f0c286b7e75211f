import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Registry } from '../../src/index.js';
import { bundledScript } from '../support/bundled-script.js';
import { deployVersion } from '../support/deployed-version.js';
import { descendants, signalAll } from '../support/descendants.js';
import { repositoryFile } from '../support/run-script.js';
import { steeredAlgorithm } from '../support/steered-algorithm.js';
import { temporaryFolder } from '../support/temp-folder.js';

const ANALYZE = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].find((file) => existsSync(file));
const SOON = { timeout: 30_000 };

test.skipIf(ANALYZE === undefined)(
  'the unit of the service is one that systemd takes, without a warning',
  () => {
    const unit = repositoryFile('examples/service/procvision-host.service');
    const said = execFileSync(ANALYZE ?? '', ['verify', unit], { encoding: 'utf8', stdio: 'pipe' });
    expect(said).toBe('');
  },
);

test.skipIf(process.platform !== 'linux')(
  'the host of the service says that it is ready and lives, and loses no call when all of its group are stopped',
  { timeout: 120_000 },
  async () => {
    const folder = await temporaryFolder();
    const [root, go, begun, said] = ['station', 'go', 'begun', 'said'].map((name) =>
      path.join(folder, name),
    ) as [string, string, string, string];
    const registry = await Registry.open(root, { durability: 'none' });
    const order = `open(${JSON.stringify(begun)}, "w").close(); asked = {"wait_for": ${JSON.stringify(go)}}`;
    const source = steeredAlgorithm().replace('asked = user_params or {}', order);
    await deployVersion(registry, { source });
    await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
    await registry.close();
    // In place of systemd: what the host would tell it is written down.
    const notify = path.join(folder, 'systemd-notify');
    await writeFile(notify, `#!/bin/sh\necho "$@" >> ${JSON.stringify(said).replaceAll('$', '\\$')}\n`);
    await chmod(notify, 0o755);

    const host = spawn(
      process.execPath,
      [await bundledScript(repositoryFile('examples/service/host.ts')), '--root', root, '--port', '0'],
      {
        cwd: repositoryFile('.'),
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          ...process.env,
          PATH: `${folder}:${process.env.PATH ?? ''}`,
          ...{ NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '150000' },
        },
      },
    );
    onTestFinished(() => void host.kill('SIGKILL'));
    let output = '';
    host.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await vi.waitFor(() => {
      expect(output).toMatch(/listening on .*:\d+, 1 versions are ready/);
    }, SOON);
    const port = /:(\d+),/.exec(output)?.[1] ?? '';
    const address = `http://127.0.0.1:${port}`;
    expect((await fetch(`${address}/health`)).status).toBe(200);
    const query = 'product=A01&width=2&height=2';
    const call = fetch(`${address}/inspect?${query}`, { method: 'POST', body: new Uint8Array(12) });
    await vi.waitFor(() => {
      expect(existsSync(begun)).toBe(true);
    }, SOON);

    const exit = once(host, 'exit');
    signalAll([host.pid ?? -1, ...descendants(host.pid)], 'SIGTERM');
    await vi.waitFor(async () => {
      expect(await readFile(said, 'utf8')).toContain('STOPPING=1');
    }, SOON);
    await writeFile(go, '');
    const response = await call;
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: 'OK' });
    expect(await exit).toEqual([0, null]);
    const notices = await readFile(said, 'utf8');
    expect(notices).toMatch(/^--ready --status=1 versions are ready$/m);
    expect(notices).toMatch(/^WATCHDOG=1$/m);
  },
);
