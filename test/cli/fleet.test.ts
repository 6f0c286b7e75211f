import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadNats } from '../../src/fleet/nats/peers.js';
import { fleetPermissions } from '../../src/fleet/nats/permissions.js';
import { generateSigningKeys } from '../../src/package/integrity.js';
import { cliFolder } from '../support/cli.js';
import { natsServer, NO_SERVER, TestServer } from '../support/nats-server.js';
import { digestOf, ScriptedStation, type Behaviour } from '../support/scripted-station.js';

const binary = await natsServer();
const DIGEST = digestOf('check@2.0.0');

/**
 * A server with a bucket, its description in a folder, a controller that runs by the command line, and stations. Whoever commands has the
 * permissions of a controller, and no others.
 */
async function plant(o: { stations?: string[]; behaviour?: Behaviour } = {}) {
  const cli = await cliFolder();
  const { nkeys } = loadNats('test').transport;
  const [operator, root] = [nkeys.createUser(), nkeys.createUser()];
  await writeFile(path.join(cli.folder, 'operator.seed'), operator.getSeed());
  await writeFile(path.join(cli.folder, 'root.seed'), root.getSeed());
  const users = [
    { role: 'controller' as const, name: 'operator', key: operator.getPublicKey() },
    { role: 'administrator' as const, name: 'root', key: root.getPublicKey() },
  ];
  const server = await TestServer.start(fleetPermissions({ plant: 'p', users }));
  const connection = await server.connect({ name: 'root', seedFile: path.join(cli.folder, 'root.seed') });
  await connection.create();
  const { privateKey, publicKey } = generateSigningKeys();
  await writeFile(path.join(cli.folder, 'controller.pem'), privateKey);
  await writeFile(path.join(cli.folder, 'controller.pub.pem'), publicKey);
  const described = { servers: [server.url], plant: 'p', name: 'operator', seed_file: 'operator.seed' };
  const write = (file: string, value: object) =>
    writeFile(path.join(cli.folder, file), JSON.stringify(value));
  await write('fleet.json', { ...described, private_key_file: 'controller.pem' });
  await write('view.json', { ...described, public_key_files: ['controller.pub.pem'] });
  const { stations: names = ['s1', 's2', 's3'], behaviour } = o;
  const stations = names.map((name) => new ScriptedStation(connection, name, behaviour && { behaviour }));
  const look = async () => {
    for (const station of stations) await station.look();
  };
  await look();
  return { ...cli, stations, look, write, described, connection };
}

/** Runs `fleet control` until the test ends. */
function control({ runWith }: Awaited<ReturnType<typeof plant>>) {
  const interrupt = new AbortController();
  const said: string[] = [];
  const isActive = new Promise<void>((resolve) => {
    const over = runWith(
      {
        interrupted: interrupt.signal,
        onOutput: (text) => {
          said.push(text);
          if (text.includes('active')) resolve();
        },
      },
      ...['fleet', 'control'],
    );
    onTestFinished(async () => {
      interrupt.abort();
      expect(await over).toMatchObject({ code: 0 });
    });
  });
  return { said, isActive };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

test.skipIf(binary === undefined)(
  `from a group to a rollout that is done, its log and the way back, by the command line (${NO_SERVER} where it is skipped)`,
  async () => {
    const fleet = await plant();
    const { run, look } = fleet;
    const { isActive } = control(fleet);
    await isActive;
    await look();
    expect(
      await run('fleet', 'group', 'east', 's1', 's2', 's3', '--window', '22:00-05:30', '--days', '1,2'),
    ).toMatchObject({
      code: 0,
      stdout: 'east has 3 stations\n',
    });
    const order = [
      'fleet',
      'rollout',
      'check',
      '2.0.0',
      '--digest',
      DIGEST,
      '--wave',
      'east:30%',
      '--wave',
      'east',
      '--approval',
    ];
    const planned = await run(...order, '--dry-run', '--json');
    expect(planned.json()).toMatchObject({
      waves: [
        { group: 'east', stations: [{ station: 's1', from: { A: 'check@1.0.0' }, to: 'check@2.0.0' }] },
        { stations: [{}, {}] },
      ],
    });
    expect((await run(...order, '--dry-run')).stdout).toContain(
      'would move a size that is not known: give --package at most',
    );
    expect(await run(...order)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('check-2.0.0-1 is ordered') as string,
    });
    expect((await run(...order)).code).toBe(1);
    const standing = async () => {
      await look();
      return (await run('fleet', 'status', '--fleet', 'view.json')).stdout;
    };
    await until(async () => (await standing()).includes('approval: waiting: an operator must approve'));
    const status = await standing();
    expect(status).toContain('p: ');
    expect(status).toMatch(/s1 +converged +A=check@2\.0\.0/);
    expect(status).toMatch(/s2 +idle +A=check@1\.0\.0/);
    expect((await run('fleet', 'approve', 'check-2.0.0-1')).stdout).toBe(
      'Wave 1 of check-2.0.0-1 is approved\n',
    );
    await until(async () => (await standing()).includes('check 2.0.0, done'));
    const { stations } = (await run('fleet', 'status', '--json')).json() as {
      stations: { serving: object }[];
    };
    expect(stations.map(({ serving }) => serving)).toEqual(Array(3).fill({ A: 'check@2.0.0' }));
    const logs = await run('fleet', 'logs');
    expect(logs.stdout).toContain('rollout=check-2.0.0-1 state=running wave=1 waves=2');
    expect(logs.stdout).toContain('state=done');
    expect((await run('fleet', 'logs', 's1')).stdout).toBe('Nothing was told yet\n');
    expect((await run('fleet', 'back', 'check-2.0.0-1', '--reason', 'scratches missed')).stdout).toBe(
      'check 2.0.0 is barred: 3 stations that report it go back\n',
    );
    await until(async () => (await standing()).includes('check 2.0.0, back'));
    await until(async () => !(await standing()).includes('A=check@2.0.0'));
    expect(await standing()).toContain('barred: check 2.0.0: scratches missed');
    expect(await run(...order)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('version_barred') as string,
    });
    expect((await run('fleet', 'back', 'check', '2.0.0', '--lift')).stdout).toBe(
      'check 2.0.0 is barred no more\n',
    );
  },
  60_000,
);

test.skipIf(binary === undefined)(
  'a rollout that hangs is halted by one word, and a bucket without desired states is rebuilt',
  async () => {
    const fleet = await plant({ behaviour: () => 'stay' });
    const { run, look } = fleet;
    await control(fleet).isActive;
    await look();
    const order = [
      'fleet',
      'rollout',
      'check',
      '2.0.0',
      'A',
      '--digest',
      DIGEST,
      '--wave',
      'station:s1',
      '--wave',
      'station:s2',
    ];
    expect(
      (await run(...order, '--id', 'r', '--soak', '10', '--deadline', '600000', '--errors', '--latency', '2'))
        .code,
    ).toBe(0);
    await until(async () => {
      await look();
      return (await fleet.connection.values.get('desired.s1')) !== undefined;
    });
    expect((await run('fleet', 'halt', '--reason', 'night')).stdout).toBe('r: halted\n');
    expect((await run('fleet', 'halt')).stdout).toBe('No rollout is under way\n');
    const { rollouts } = (await run('fleet', 'status', '--json')).json() as { rollouts: object[] };
    expect(rollouts).toMatchObject([
      { id: 'r', state: 'halted', reason: expect.stringContaining('night') as string },
    ]);
    const [first] = fleet.stations;
    const reason = `${'the bar is not acted on '.repeat(10)}Have the controller write it anew`;
    if (first) first.report.reason = reason;
    await until(async () => {
      await look();
      return (await run('fleet', 'status')).stdout.includes(`\ns1: ${reason}\n`);
    });
    expect((await run('fleet', 'rebuild', '--dry-run')).stdout).toContain(
      '2 desired states and 0 bars would be written',
    );
    expect((await run('fleet', 'rebuild')).stdout).toContain(
      's1 is left as it is: its desired state is there',
    );
    expect(await fleet.connection.values.get('desired.s2')).toBeDefined();
  },
  60_000,
);

test.skipIf(binary === undefined)(
  'wrong words are answered with what to do, and the exit code of their kind',
  async () => {
    const fleet = await plant({ stations: ['s1'] });
    const { run, write, described } = fleet;
    const said = async (...argv: string[]) => {
      const { code, stderr } = await run('fleet', ...argv);
      return `${code} ${stderr.trim()}`;
    };
    const order = ['rollout', 'check', '2.0.0'];
    expect(await said(...order, '--digest', DIGEST)).toContain('2 error: A rollout needs its waves');
    expect(await said(...order, '--wave', 'east')).toContain('2 error: Give the package by --package FILE');
    expect(await said(...order, '--wave', 'east:0%', '--digest', DIGEST)).toContain(
      '2 error: --wave takes a share',
    );
    expect(await said(...order, '--wave', 'none', '--digest', DIGEST)).toContain('3 error: not_found');
    expect(
      await said(
        ...order,
        '--wave',
        'station:s1',
        '--digest',
        DIGEST,
        '--accepted',
        '0.9',
        '--failed',
        '0.5',
      ),
    ).toContain('the wave could neither pass nor fail');
    expect(await said(...order, '--wave', 'station:s1', '--package', 'none.zip')).toContain(
      '3 error: There is no package',
    );
    expect(await said('approve', 'none')).toContain('3 error: not_found');
    expect(await said('back', 'check', '--lift')).toContain('2 error: --lift takes a name and a version');
    expect(await said('group', 'g', 's1', '--window', '22')).toContain('2 error: --window takes two times');
    expect(await said('group', 'g', 's1', '--days', '1')).toContain('2 error: --days is of a window');
    expect(await said('status', '--fleet', 'of-the-other-plant.json')).toContain(
      '3 error: There is no description of the fleet of-the-other-plant.json: write one (docs/fleet.md, "Commands"), or name yours by --fleet FILE',
    );
    expect(await said('back', 'check', '1.0.0', '--fleet', 'view.json')).toContain(
      '2 error: invalid_params: Without a private key',
    );
    expect(await said('control', '--fleet', 'view.json')).toContain(
      '2 error: A controller signs what it writes',
    );
    await write('bare.json', described);
    expect(await said('status', '--fleet', 'bare.json')).toContain(
      'must name private_key_file or public_key_files',
    );
    await write('odd.json', { ...described, sevrers: [] });
    expect(await said('status', '--fleet', 'odd.json')).toContain('has no field sevrers');
    await write('odd.json', { ...described, servers: 'nats://x' });
    expect(await said('status', '--fleet', 'odd.json')).toContain('servers must be a list of texts');
    await write('odd.json', { ...described, plant: undefined, private_key_file: 'controller.pem' });
    expect(await said('status', '--fleet', 'odd.json')).toContain('must have plant');
    await write('odd.json', { ...described, private_key_file: 'none.pem' });
    expect(await said('status', '--fleet', 'odd.json')).toContain('names a key that cannot be read');
    await write('odd.json', { ...described, public_key_files: ['controller.pem'] });
    expect(await said('status', '--fleet', 'odd.json')).toContain(
      'public_key_files names a private key (controller.pem): name its public key',
    );
    await write('odd.json', { ...described, public_key_files: ['controller.pub.pem'], inspections: 'yes' });
    expect(await said('status', '--fleet', 'odd.json')).toContain('inspections must be true or false');
    await writeFile(path.join(fleet.folder, 'odd.json'), '{');
    expect(await said('status', '--fleet', 'odd.json')).toContain('must be JSON');
  },
);
