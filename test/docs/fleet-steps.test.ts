import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bundledScript } from '../support/bundled-script.js';
import { stepsOf } from '../support/doc-snippets.js';
import { freePort } from '../support/free-port.js';
import { natsServer, NO_SERVER } from '../support/nats-server.js';
import { repositoryFile } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

const server = await natsServer();
const lacks =
  server === undefined
    ? NO_SERVER
    : ['bash', 'openssl', 'sed'].find((program) => spawnSync(program, ['--help']).error !== undefined);

test.skipIf(lacks !== undefined || process.platform === 'win32')(
  `the plant on one machine of docs/fleet.md comes to what the page shows, step by step${lacks === undefined ? '' : ` (skipped: ${lacks})`}`,
  async () => {
    const folder = await temporaryFolder();
    const bin = path.join(folder, 'bin');
    await mkdir(bin);
    const program = path.join(bin, 'procvision-runner');
    await writeFile(
      program,
      `#!/bin/sh\nexec "${process.execPath}" "${await bundledScript(repositoryFile('src/cli/bin.ts'))}" "$@"\n`,
    );
    await chmod(program, 0o755);
    const env = {
      ...process.env,
      PATH: [bin, path.dirname(server ?? ''), process.env.PATH].join(path.delimiter),
    };
    const said = path.join(folder, 'said.txt');
    const shell = async (script: string) => {
      const child = spawn('bash', ['-ec', `exec >>"${said}" 2>&1\n${script}`], {
        ...{ cwd: folder, env, detached: true, stdio: 'ignore' },
      });
      // What a step leaves in the background is of the group of its shell.
      onTestFinished(async () => {
        const group = -(child.pid ?? 0);
        const isThere = (signal: number | 'SIGTERM') => {
          try {
            return process.kill(group, signal);
          } catch {
            return false;
          }
        };
        isThere('SIGTERM');
        await expect.poll(() => isThere(0), { timeout: 60_000 }).toBe(false);
      });
      const [code] = (await once(child, 'exit')) as [number | null];
      expect([code, code === 0 ? '' : await readFile(said, 'utf8')]).toEqual([0, '']);
    };
    const ports = new Map<string, string>();
    for (const port of ['4222', '8080', '8081', '8082']) ports.set(port, String(await freePort()));
    const here = (text: string) =>
      text
        .replace('fleet up', 'fleet up --port 4222')
        .replaceAll(/4222|808[012]/g, (port) => ports.get(port) ?? port);
    const steps = stepsOf('docs/fleet.md', 'fleet');
    expect(steps.length).toBeGreaterThan(4);
    for (const { commands, seen } of steps) {
      const last = commands.at(-1) ?? '';
      await shell(here(commands.slice(0, -1).join('\n')));
      const shown = () => {
        const { stdout } = spawnSync('bash', ['-c', last], { cwd: folder, env, encoding: 'utf8' });
        return seen.filter((pattern) => !pattern.test(stdout)).map((pattern) => `${pattern} of ${stdout}`);
      };
      await expect.poll(shown, { timeout: 120_000, interval: 500 }).toEqual([]);
    }
  },
  600_000,
);
