import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { FleetOperator, keyOf, openInspector } from '../../src/fleet/index.js';
import { Registry } from '../../src/index.js';
import { generateSigningKeys } from '../../src/signing/index.js';
import { deployVersion } from '../../src/testing/deploy-version.js';
import { writePicture } from '../support/brightness.js';
import { bundledScript } from '../support/bundled-script.js';
import { cliFolder } from '../support/cli.js';
import { natsServer, NO_SERVER, TestServer } from '../support/nats-server.js';
import { repositoryFile } from '../support/run-script.js';

const BIN = await bundledScript(repositoryFile('src/cli/bin.ts'));

async function station() {
  const cli = await cliFolder();
  const registry = await Registry.open(path.join(cli.folder, 'station'), { durability: 'none' });
  await deployVersion(registry);
  await registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  await registry.close();
  return cli;
}

/** The command line in a process of its own; `event` waits for a line of its JSON. */
function startProcess(cwd: string, argv: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [BIN, ...argv, '--json'], {
    ...{ cwd, env: { ...process.env, ...env } },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const events: Record<string, unknown>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) =>
    events.push(JSON.parse(line) as (typeof events)[number]),
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const event = async (name: string) => {
    await expect.poll(() => events.map((one) => one.event), { timeout: 60_000 }).toContain(name);
    return events.find((one) => one.event === name) as Record<string, unknown> & { url: string };
  };
  return { child, event, stderr: () => stderr };
}

/** Processes whose command line names the folder. */
function processesOf(folder: string): string[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.includes(folder));
}

test.skipIf(process.platform === 'win32').each(['SIGTERM', 'SIGINT'] as const)(
  'serve starts what is active, answers this machine, lets commands work beside it, and ends cleanly at %s',
  async (signal) => {
    const cli = await station();
    const { child, event, stderr } = startProcess(cli.folder, ['serve', '--port', '0']);
    const { url } = await event('listening');
    expect(await event('ready')).toMatchObject({ started: [{ name: 'sample', workers: 1 }], failed: [] });
    expect(await (await fetch(`${url}/algorithms/active`)).json()).toMatchObject({});
    const foreign = {
      method: 'POST',
      headers: { origin: 'https://example.com', 'content-type': 'application/json' },
    };
    expect(
      (await fetch(`${url}/algorithms/deactivate`, { ...foreign, body: '{"pids":["A01"]}' })).status,
    ).toBe(403);

    expect((await cli.run('status', '--json')).json()).toMatchObject([
      { state: 'running', users: [{ pid: child.pid }] },
    ]);
    expect((await cli.run('uninstall', 'sample', '1.0.0', '--also-rollback-targets')).stderr).toContain(
      'unsafe_uninstall',
    );
    expect(await cli.run('deactivate', 'A01')).toMatchObject({ code: 0 });
    await expect
      .poll(async () => JSON.stringify(await (await fetch(`${url}/algorithms/active`)).json()))
      .not.toContain('A01');

    const workers = processesOf(cli.folder).length;
    expect(workers).toBeGreaterThan(0);
    child.kill(signal);
    child.kill(signal); // as npm hands it on once more
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(stderr()).toContain('Ending');
    await expect.poll(() => processesOf(cli.folder)).toEqual([]);
  },
);

test.skipIf(process.platform === 'win32')(
  'at SIGTERM a call is answered that takes longer than all else is given, and a further one on a busy connection is refused',
  async () => {
    const cli = await station();
    await cli.run('configure', 'sample', '1.0.0', '{"executeTimeoutMs": 30000}');
    const { child, event, stderr } = startProcess(cli.folder, ['serve', '--port', '0']);
    const { url } = await event('listening');
    await event('ready');
    const picture = path.join(cli.folder, 'board.png');
    await writePicture(picture, 90);
    const form = new FormData();
    form.set('image', new Blob([await readFile(picture)], { type: 'image/png' }));
    form.set('params', '{"sleep_ms": 7000}');
    const answered = fetch(`${url}/inspections/A01`, { method: 'POST', body: form });
    const calls = async () => {
      const [{ inFlight } = { inFlight: 0 }] = (await (await fetch(`${url}/status`)).json()) as {
        inFlight: number;
      }[];
      return inFlight;
    };
    await expect.poll(calls, { timeout: 10_000 }).toBe(1);
    const busy = net.connect(Number(new URL(url).port), '127.0.0.1').setEncoding('latin1');
    let later = '';
    busy.on('data', (text: string) => (later += text));
    busy.write('GET /events HTTP/1.1\r\nHost: localhost\r\n'); // a connection that is no idle one
    await once(busy, 'connect');
    child.kill('SIGTERM');
    await expect.poll(stderr).toContain('Ending');
    busy.write('\r\n');
    await expect.poll(() => later).toMatch(/^HTTP\/1\.1 503[^]*connection: close[^]*This station ends/i);
    const answer = await answered;
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    expect(await once(child, 'exit')).toEqual([0, null]);
  },
);

/** What comes first for a package that asks before it is sent. */
async function firstAnswer(port: number): Promise<string> {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  socket.write(
    'POST /algorithms/install HTTP/1.1\r\nHost: x\r\nContent-Type: application/zip\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n',
  );
  const [answer] = (await once(socket, 'data')) as [string];
  return answer;
}

test('with a token requests must bring it; a token that could be guessed is refused', async () => {
  const cli = await station();
  const token = 'a'.repeat(40);
  await writeFile(path.join(cli.folder, 'token'), `${token}\n`);
  const { child, event } = startProcess(cli.folder, [
    'serve',
    '--port',
    '0',
    '--host',
    '0.0.0.0',
    '--token-file',
    'token',
  ]);
  const url = (await event('listening')).url.replace('0.0.0.0', '127.0.0.1');
  const refused = await fetch(`${url}/algorithms`);
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
    401,
    expect.stringContaining('Bearer'),
  ]);
  expect(await firstAnswer(Number(new URL(url).port))).toMatch(/^HTTP\/1\.1 401/);
  await event('ready');
  for (const probe of ['/health', '/health/live', '/health/ready', '/v2/health/live', '/v2/health/ready']) {
    const answer = await fetch(url + probe);
    const plain = probe.endsWith('live') ? { live: true } : { live: true, ready: true };
    expect([probe, answer.status, await answer.json()]).toEqual([probe, 200, plain]);
    expect((await fetch(url + probe, { method: 'HEAD' })).status).toBe(200);
    expect((await fetch(url + probe, { method: 'POST' })).status).toBe(405);
  }
  expect((await fetch(`${url}/v2/models/A01/ready`)).status).toBe(401);
  const told = await fetch(`${url}/health`, { headers: { authorization: `Bearer ${token}` } });
  expect(await told.json()).toMatchObject({
    checks: [{ name: 'store' }, { name: 'sample 1.0.0', ok: true }],
  });
  const wrong = await fetch(`${url}/algorithms`, { headers: { authorization: `Bearer ${token}b` } });
  expect(wrong.status).toBe(401);
  const right = await fetch(`${url}/algorithms`, { headers: { authorization: `Bearer ${token}` } });
  expect(right.status).toBe(200);
  child.kill('SIGTERM');
  await once(child, 'exit');
  await writeFile(path.join(cli.folder, 'token'), 'short');
  expect(await cli.run('serve', '--token-file', 'token')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('at least 16 characters') as string,
  });
});

test('a port that is taken is named with what to do, exit 1', async () => {
  const cli = await station();
  const { event } = startProcess(cli.folder, ['serve', '--port', '0']);
  const { port } = new URL((await event('listening')).url);
  expect(await cli.run('serve', '--port', port)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('give another --port') as string,
  });
});

const LISTENER = `
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
    link.bind(sys.argv[1])
    print("bound", flush=True)
    while True:
        print(repr(link.recv(4096).decode()), flush=True)
`;

test.skipIf(process.platform === 'win32')(
  'systemd is told READY, the watchdog and STOPPING, in this order',
  async () => {
    const cli = await station();
    const socket = path.join(cli.folder, 'n');
    const listener = spawn('python3', ['-c', LISTENER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void listener.kill('SIGKILL'));
    const lines: string[] = [];
    createInterface({ input: listener.stdout }).on('line', (line) => lines.push(line));
    await expect.poll(() => lines).toEqual(['bound']);
    const { child } = startProcess(cli.folder, ['serve', '--port', '0'], {
      ...{ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' },
    });
    await expect
      .poll(() => lines.join('\n'), { timeout: 60_000 })
      .toMatch(/READY=1\\nSTATUS=1 of 1 active versions started/);
    await expect.poll(() => lines).toContain("'WATCHDOG=1'");
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await expect.poll(() => lines.at(-1)).toBe("'STOPPING=1'");
  },
);

const server = await natsServer();

test.skipIf(server === undefined || process.platform === 'win32')(
  `serve --plant shows the plant, and with public keys alone takes no word to it${server === undefined ? ` (skipped: ${NO_SERVER})` : ''}`,
  async () => {
    const cli = await cliFolder();
    const nats = await TestServer.start();
    const connection = await nats.connect({ name: 'office' });
    await connection.create();
    const { publicKey, privateKey } = generateSigningKeys();
    const office = new FleetOperator({ connection, plant: 'north', privateKey });
    await office.setGroup({ group: 'first', stations: ['line 1'] });
    await office.rollout({
      id: 'r1',
      name: 'check',
      version: '2',
      digest: '0'.repeat(64),
      waves: [{ group: 'first' }],
    });
    await writeFile(path.join(cli.folder, 'controller.pem'), publicKey);
    const plant = { servers: [nats.url], plant: 'north', name: 'page', public_key_files: ['controller.pem'] };
    await writeFile(path.join(cli.folder, 'plant.json'), JSON.stringify(plant));
    const { child, event } = startProcess(cli.folder, ['serve', '--port', '0', '--plant', 'plant.json']);
    const { url } = await event('listening');
    const look = async (): Promise<unknown> => (await fetch(`${url}/fleet`)).json();
    await expect
      .poll(look, { timeout: 60_000 })
      .toMatchObject({ plant: 'north', groups: [{ group: 'first' }], rollouts: [{ id: 'r1' }] });
    const headers = { 'content-type': 'application/json' };
    const word = await fetch(`${url}/fleet/halt`, { method: 'POST', headers, body: '{}' });
    expect([word.status, await word.text()]).toEqual([400, expect.stringContaining('give privateKey')]);
    expect((await office.status()).rollouts).toMatchObject([{ id: 'r1', state: 'new' }]);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  },
);

test.skipIf(server === undefined || process.platform === 'win32')(
  `serve --fleet makes the station a member of its fleet, and leaves it cleanly${server === undefined ? ` (skipped: ${NO_SERVER})` : ''}`,
  async () => {
    const cli = await station();
    const nats = await TestServer.start();
    const office = await nats.connect({ name: 'office' });
    await office.create();
    const { publicKey } = generateSigningKeys();
    await writeFile(path.join(cli.folder, 'controller.pem'), publicKey);
    const fleet = {
      servers: [nats.url],
      plant: 'north',
      name: 'line 1',
      public_key_files: ['controller.pem'],
      inspections: true,
    };
    await writeFile(path.join(cli.folder, 'fleet.json'), JSON.stringify(fleet));
    const { child, event } = startProcess(cli.folder, ['serve', '--port', '0', '--fleet', 'fleet.json']);
    await event('ready');
    await expect
      .poll(async () => (await office.values.get(keyOf('reported', 'line 1')))?.value, { timeout: 60_000 })
      .toMatchObject({ station: 'line 1', state: 'idle', serving: { A01: 'sample@1.0.0' } });
    const picture = path.join(cli.folder, 'board.png');
    await writePicture(picture, 90);
    const desk = await openInspector(office, { plant: 'north' });
    const answer = await desk.inspect('A01', await readFile(picture), { timeoutMs: 60_000 });
    expect(answer).toMatchObject({ station: 'line 1', result: { status: 'OK' } });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  },
);
