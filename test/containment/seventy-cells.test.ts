import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import type { SupervisorPolicy } from '../../src/supervisor/policy.js';
import { bundledScript } from '../support/bundled-script.js';
import { ATTEMPTS, MOMENTS } from '../support/hostile-package.js';
import { hostileStation, type HostileStation, type Note } from '../support/hostile-station.js';

/** Where namespaces are to be had: what an ordinary user gets is tried by hosts that root starts as one. */
const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const USER = 54_321;
const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };
const ALL = {
  processes: true,
  files: true,
  sharedMemory: true,
  capabilities: true,
  oomScoreAdj: 500,
  missing: [],
};

const processes = () => execFileSync('ps', ['axww', '-o', 'args']).toString();
const leftIn = (folder: string, mark: string) => readdirSync(folder).filter((name) => name.includes(mark));

function cells(notes: readonly Note[], where: Note['where']): number {
  return new Set(
    notes.filter((note) => note.where === where).map(({ moment, attempt }) => `${moment}: ${attempt}`),
  ).size;
}

async function callOnce(
  { registry }: HostileStation,
  worker: 'sdk' | 'bundled',
  policy: Partial<SupervisorPolicy>,
) {
  await using supervisor = new AlgorithmSupervisor({ registry, worker, policy });
  const target = { name: 'attacker', version: '1.0.0' };
  const result = await supervisor.execute({ target, stepIndex: 1, image, timeoutMs: 20_000 });
  expect(result).toMatchObject({ status: 'OK' });
  return supervisor.status()[0]?.workers[0]?.bounds;
}

describe.runIf(isRoot).each(['link', 'pip'] as const)(
  'ten attempts at seven moments, installed by %s',
  (installer) => {
    test('are held in the trial and in both workers, of root and of a user of their own, and leave nothing', async () => {
      const station = await hostileStation(installer);
      // No worker has run yet: a note of the trial that is taken for one of a worker would hide a cell of the latter.
      expect(cells(await station.notes(), 'worker')).toBe(0);
      for (const worker of ['sdk', 'bundled'] as const) {
        for (const user of [{}, { uid: USER, gid: USER }]) {
          const policy = { network: 'none', resources: { openFiles: 64 }, ...user } as const;
          expect(await callOnce(station, worker, policy)).toMatchObject({ ...ALL, network: 'none' });
          expect(processes()).not.toContain(station.mark);
        }
      }
      const notes = await station.notes();
      expect(notes.filter(({ got }) => got !== null)).toEqual([]);
      expect(cells(notes, 'worker')).toBe(MOMENTS.length * ATTEMPTS.length);
      // The trial ends without teardown and atexit: it has what it wants to know.
      expect(cells(notes, 'trial')).toBe((MOMENTS.length - 2) * ATTEMPTS.length);
      expect(leftIn('/dev/shm', station.mark)).toEqual([]);
      for (const name of ['victim', 'attacker']) {
        expect(await station.deployer.verify(name, '1.0.0')).toMatchObject({ drift: [] });
      }
    });
  },
);

/** Starts a host in another way: as an ordinary user, or where the system gives no namespaces. */
async function hostOf(
  { registry }: HostileStation,
  how: 'user' | 'nothing',
  worker: 'sdk' | 'bundled',
  policy: Partial<SupervisorPolicy>,
): Promise<Record<string, unknown>> {
  const script = await bundledScript('contained-host.ts');
  await chmod(path.dirname(script), 0o755);
  const host = [process.execPath, script, registry.layout.root, 'attacker', worker, JSON.stringify(policy)];
  const asUser = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', ...host];
  // Root of a container that was given nothing: no right to mount, and no user namespaces.
  const bare = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', ...host];
  const inBox = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"';
  const boxed = ['unshare', '--user', '--map-root-user', 'sh', '-c', inBox, 'sh', ...bare];
  const [command = '', ...args] = how === 'user' ? asUser : boxed;
  const said = execFileSync(command, args, { encoding: 'utf8', env: { ...process.env, TMPDIR: '/tmp' } });
  return JSON.parse(said.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
}

describe.runIf(isRoot)('a host that is not root', () => {
  test('holds the same by user namespaces, in both workers', async () => {
    const station = await hostileStation('link');
    execFileSync('chown', ['-R', `${USER}:${USER}`, station.registry.layout.root]);
    await station.forget();
    for (const worker of ['sdk', 'bundled'] as const) {
      const policy = { network: 'none', resources: { openFiles: 64 } } as const;
      const outcome = await hostOf(station, 'user', worker, policy);
      expect(outcome).toMatchObject({ status: 'OK', bounds: { ...ALL, user: true, network: 'none' } });
    }
    const notes = await station.notes();
    expect(notes.filter(({ got }) => got !== null)).toEqual([]);
    expect(cells(notes, 'worker')).toBe(MOMENTS.length * ATTEMPTS.length);
    expect(processes()).not.toContain(station.mark);
    expect(leftIn('/dev/shm', station.mark)).toEqual([]);
  });

  test('says what it cannot hold without namespaces, still ends every process, and refuses what was asked for', async () => {
    const station = await hostileStation('link');
    await station.forget();
    const outcome = await hostOf(station, 'nothing', 'sdk', {
      env: { HOSTILE_SPARES: '1' },
      resources: { openFiles: 64 },
    });
    expect(outcome).toMatchObject({
      status: 'OK',
      bounds: {
        ...{ processes: false, files: false, sharedMemory: false, network: 'host', capabilities: true },
        missing: ['the system gives this user no namespaces'],
      },
    });
    const got = (await station.notes()).filter((note) => note.got !== null).map(({ attempt }) => attempt);
    // What only namespaces hold. The mode of deployed files still keeps a user that does not own them from writing.
    for (const attempt of ['keep a daemon', 'raise a limit', 'kill the watcher'])
      expect(got).not.toContain(attempt);
    expect(processes()).not.toContain(station.mark);
    for (const name of leftIn('/dev/shm', station.mark)) rmSync(path.join('/dev/shm', name));
    expect(await hostOf(station, 'nothing', 'sdk', { network: 'none' })).toMatchObject({
      code: 'start_failed',
      message: expect.stringContaining("policy.network is 'none'") as string,
    });
  });
});
