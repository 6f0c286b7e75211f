import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { connectFleet, startFleetServer, writeFleetUsers } from '../../../src/fleet/index.js';
import { findNatsServer } from '../../../src/fleet/server/find-server.js';
import { cliFolder } from '../../support/cli.js';
import { natsServer, NO_SERVER } from '../../support/nats-server.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const binary = await natsServer();
const title =
  binary === undefined ? `a server of the fleet (skipped: ${NO_SERVER})` : 'a server of the fleet';
const USERS = {
  plant: 'Werk 1',
  users: [
    { role: 'station' as const, name: '装配 A', group: 'line 1' },
    { role: 'controller' as const, name: 'control' },
  ],
};

test('seeds are made once and are for their owner alone; a key that was given needs none', async () => {
  const folder = await temporaryFolder();
  const first = await writeFleetUsers(folder, USERS);
  expect(first.made).toEqual(['装配 A', 'control']);
  const seed = first.seeds.control ?? '';
  const text = await readFile(seed, 'utf8');
  if (process.platform !== 'win32') expect((await stat(seed)).mode & 0o777).toBe(0o600);
  const key = `U${'A'.repeat(55)}`;
  const more = { ...USERS, users: [...USERS.users, { role: 'inspector' as const, name: 'desk', key }] };
  const second = await writeFleetUsers(folder, more);
  expect(second.made).toEqual([]);
  expect(second.seeds).toEqual(first.seeds);
  expect(await readFile(seed, 'utf8')).toBe(text);
  const configuration = await readFile(second.configuration, 'utf8');
  expect(configuration).toContain(key);
  expect(configuration).not.toContain(text);
  await writeFile(seed, 'no seed');
  await expect(writeFleetUsers(folder, USERS)).rejects.toMatchObject({
    code: 'invalid_params',
    message: expect.stringContaining('is no seed of an nkey') as string,
  });
});

test.skipIf(process.platform === 'win32')(
  'a server that may not be executed, or is not there, is named with the remedy',
  async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, 'nats-server');
    await writeFile(file, '');
    const start = (given: string) => startFleetServer({ folder, port: 0, binary: given });
    await expect(start(file)).rejects.toMatchObject({
      code: 'start_failed',
      message: `The server ${file} could not be started: it may not be executed (chmod +x makes it so)`,
    });
    await expect(start(path.join(folder, 'none'))).rejects.toThrow('there is no such file');
    vi.stubEnv('PATH', folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(findNatsServer('no-such-python')).rejects.toMatchObject({
      code: 'not_found',
      message: `${file} is there, but may not be executed: allow it by chmod +x ${file}`,
    });
  },
);

describe.skipIf(binary === undefined)(title, () => {
  test('it has bucket and stream, lets in its users alone, and keeps its data over a restart', async () => {
    const options = { folder: await temporaryFolder(), port: 0, users: USERS, binary };
    const server = await startFleetServer(options);
    onTestFinished(() => server.stop());
    const open = async (name: string, url = server.url) => {
      const seedFile = server.seeds[name] ?? '';
      const connection = await connectFleet({ servers: [url], name, seedFile, waitMs: 10_000 });
      onTestFinished(() => connection.close());
      return connection;
    };
    const control = await open('control');
    await control.values.put('desired.=E8=A3=85=E9=85=8D=20A', { rev: 1 });
    const station = await open('装配 A');
    expect((await station.values.get('desired.=E8=A3=85=E9=85=8D=20A'))?.value).toEqual({ rev: 1 });
    await expect(station.values.put('desired.=E8=A3=85=E9=85=8D=20A', 1)).rejects.toMatchObject({
      code: 'denied',
    });
    await expect(station.values.list('reported.')).rejects.toMatchObject({ code: 'denied' });
    await expect(station.create()).rejects.toMatchObject({ code: 'denied' });
    await station.events.publish('装配 A', 1, { id: '装配 A/1' });
    expect(await station.events.lastOffset('装配 A')).toBe(1);
    await expect(station.events.publish('B', 1, { id: 'B/1' })).rejects.toMatchObject({ code: 'denied' });
    await expect(
      connectFleet({ servers: [server.url], name: 'nobody', waitMs: 10_000 }),
    ).rejects.toMatchObject({ code: 'denied' });
    await server.stop();
    const again = await startFleetServer(options);
    onTestFinished(() => again.stop());
    const later = await open('control', again.url);
    expect((await later.values.get('desired.=E8=A3=85=E9=85=8D=20A'))?.value).toEqual({ rev: 1 });
  });

  test('a port that is taken is told with what the server says', async () => {
    const folder = await temporaryFolder();
    const first = await startFleetServer({ folder, port: 0, binary });
    onTestFinished(() => first.stop());
    const port = Number(new URL(first.url).port);
    const second = startFleetServer({ folder: await temporaryFolder(), port, binary });
    await expect(second).rejects.toMatchObject({
      code: 'start_failed',
      // In the system's words: of Linux and macOS, of Windows, of Wine.
      message: expect.stringMatching(
        /address already in use|Only one usage of each socket address|error #10048/,
      ) as string,
    });
  });

  test('fleet up runs until it is interrupted and leaves no process; fleet permissions writes its users', async () => {
    const cli = await cliFolder();
    await writeFile(path.join(cli.folder, 'plant.json'), JSON.stringify(USERS));
    const written = await cli.run('fleet', 'permissions', 'plant.json', '--folder', 'nats');
    expect(written).toMatchObject({ code: 0 });
    expect(written.stdout).toContain('new seed of 装配 A');
    const interrupt = new AbortController();
    let said = '';
    const onOutput = (text: string) => {
      said += text;
      if (said.includes('Ctrl-C ends it')) interrupt.abort();
    };
    const argv = ['fleet', 'up', '--folder', 'nats', '--port', '0', '--users', 'plant.json', '--json'];
    const up = await cli.runWith(
      { interrupted: interrupt.signal, onOutput },
      ...[...argv, '--server', binary ?? ''],
    );
    expect(up).toMatchObject({ code: 0 });
    const { process_id: processId, url } = JSON.parse(up.stdout.split('\n')[0] ?? '') as Record<
      string,
      string
    >;
    expect(url).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
    expect(() => process.kill(Number(processId), 0)).toThrow(/ESRCH/);
    const wrong = await cli.run('fleet', 'permissions', 'absent.json');
    expect(wrong.code).not.toBe(0);
  });
});
