import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { bundledScript } from '../support/bundled-script.js';
import { repositoryFile } from '../support/run-script.js';
import { temporaryFolder } from '../support/temp-folder.js';

const NOTIFY = ['/usr/bin/systemd-notify', '/bin/systemd-notify'].find((file) => existsSync(file));
const SOON = { timeout: 60_000 };

/** The side of systemd: a datagram socket of the UNIX domain; each message is printed as one line. */
const RECEIVER = `
import socket, sys
link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
link.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(link.recv(4096).decode().strip().replace("\\n", "|"), flush=True)
`;

test.skipIf(NOTIFY === undefined)(
  'the host of the service reports READY=1, WATCHDOG=1 and STOPPING=1 at the socket of NOTIFY_SOCKET, by systemd-notify(1) itself',
  { timeout: 120_000 },
  async () => {
    const folder = await temporaryFolder();
    const socket = path.join(folder, 'notify');
    const receiver = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(async () => {
      const gone = once(receiver, 'exit');
      receiver.kill('SIGKILL');
      await gone;
    });
    let said = '';
    receiver.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const hear = (message: RegExp) =>
      vi.waitFor(() => {
        expect(said).toMatch(message);
      }, SOON);
    await hear(/^bound$/m);
    const args = ['--root', path.join(folder, 'station'), '--port', '0'];
    const host = spawn(
      process.execPath,
      [await bundledScript(repositoryFile('examples/service/host.ts')), ...args],
      {
        ...{ cwd: repositoryFile('.'), stdio: ['ignore', 'ignore', 'inherit'] },
        env: { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '300000' },
      },
    );
    onTestFinished(() => void host.kill('SIGKILL'));
    await hear(/^READY=1\|STATUS=0 versions are ready$|^STATUS=0 versions are ready\|READY=1$/m);
    await hear(/^WATCHDOG=1$/m);
    const exit = once(host, 'exit');
    host.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    await hear(/^STOPPING=1$/m);
  },
);

/** Instructions of a Dockerfile with their text; lines that end with a backslash go on. */
function instructions(text: string): [name: string, rest: string][] {
  const lines = text.replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\\\n\s*/g, ' ');
  return lines.split('\n').flatMap((line) => {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    expect(name !== undefined || line === '', line).toBe(true);
    return name === undefined || rest === undefined ? [] : [[name, rest] as [string, string]];
  });
}

test('the Dockerfile is consistent: stages, files, scripts, user, signal and arguments that exist', async () => {
  const read = (file: string) => readFileSync(repositoryFile(file), 'utf8');
  const host = read('examples/service/host.ts');
  const { scripts, devDependencies, engines } = JSON.parse(read('package.json')) as {
    scripts: Record<string, string>;
    devDependencies: Record<string, string>;
    engines: { node: string };
  };
  const all = instructions(read('examples/service/Dockerfile'));
  const of = (name: string) => all.flatMap(([one, rest]) => (one === name ? [rest] : []));
  expect(all[0]?.[0]).toBe('FROM');
  // Both stages have one Node, which the package supports.
  const images = of('FROM').map((from) => from.split(' ')[0]);
  expect(new Set(images).size).toBe(1);
  const least = Number(/\d+/.exec(engines.node)?.[0]);
  expect(Number(/^node:(\d+)/.exec(images[0] ?? '')?.[1])).toBeGreaterThanOrEqual(least);
  // What is copied from a stage comes from one that is there, and what is run is there.
  const stages = of('FROM').flatMap((from) => / AS (\w+)$/.exec(from)?.[1] ?? []);
  for (const copy of of('COPY')) {
    const stage = /^--from=(\w+)/.exec(copy)?.[1];
    if (stage !== undefined) expect(stages).toContain(stage);
    else for (const file of copy.split(' ').slice(0, -1)) expect(existsSync(repositoryFile(file))).toBe(true);
  }
  const runs = of('RUN').join('\n');
  for (const [, script = ''] of runs.matchAll(/npm run (\S+)/g)) expect(scripts).toHaveProperty([script]);
  expect(devDependencies).toHaveProperty('esbuild');
  // The host is bundled as it says.
  const bundle = /npx (esbuild .*?) --outfile=\S+/.exec(runs)?.[1]?.split(' ') ?? [];
  const [, ...args] = bundle;
  const outfile = path.join(await temporaryFolder(), 'host.js');
  const esbuild = repositoryFile('node_modules/esbuild/bin/esbuild');
  execFileSync(esbuild, [...args, `--outfile=${outfile}`, '--log-level=error'], { cwd: repositoryFile('.') });
  const imported = [...readFileSync(outfile, 'utf8').matchAll(/^\} from "(.*)";$|^import .*from "(.*)";$/gm)];
  expect(imported.map(([, one, other]) => one ?? other)).toContain('procvision-runner'); // installed, not in the bundle
  // It is process 1 itself, as another user, and takes what it is given.
  expect(of('USER').at(-1)).not.toBe('root');
  expect(runs).toContain(`useradd --system --create-home ${of('USER').at(-1)}`);
  const entry = JSON.parse(of('ENTRYPOINT')[0] ?? '') as string[];
  expect(entry.slice(0, 2)).toEqual(['node', 'host.js']);
  const known = [...host.matchAll(/^ {4}(\w+): \{ type: 'string'/gm)].map(([, name]) => `--${name}`);
  for (const option of entry.filter((one) => one.startsWith('--'))) expect(known).toContain(option);
  expect(of('VOLUME')).toEqual([entry[entry.indexOf('--root') + 1]]);
  expect(of('EXPOSE')).toEqual([entry[entry.indexOf('--port') + 1]]);
  expect(host).toContain(`process.on('${of('STOPSIGNAL')[0]}'`);
  const [, healthPath = 'none'] = /127\.0\.0\.1:\d+(\/\w+)/.exec(of('HEALTHCHECK')[0] ?? '') ?? [];
  expect(host).toContain(`pathname === '${healthPath}'`);
});
