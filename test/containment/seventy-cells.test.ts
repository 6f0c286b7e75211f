import { readdirSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Deployer } from '../../src/deploy/deployer.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { Registry } from '../../src/registry/registry.js';
import { AlgorithmSupervisor } from '../../src/supervisor/algorithm-supervisor.js';
import { buildPackage } from '../../src/testing/index.js';
import { ATTEMPTS, hostilePackage, MOMENTS } from '../support/hostile-package.js';
import { temporaryFolder } from '../support/temp-folder.js';

/** An interpreter below /root is nobody else's to run. */
const PYTHON = '/usr/bin/python3';
const SECRET = 'the token of the host';
const image = { data: new Uint8Array(12).fill(200), width: 2, height: 2 };

/** Root with namespaces; what else is tried is in ordinary-user.test.ts. */
const isRoot = process.platform === 'linux' && process.getuid?.() === 0;

interface Note {
  where: 'trial' | 'worker';
  moment: string;
  attempt: string;
  got: unknown;
}

async function notesOf(file: string): Promise<Note[]> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  return lines.map((line) => {
    const [script, moment, number, got] = JSON.parse(line) as [string, string, number, unknown];
    const where = script.endsWith('probe.py') || script.endsWith('order.json') ? 'trial' : 'worker';
    return { where, moment, attempt: ATTEMPTS[number] ?? '', got };
  });
}

const processes = () => execFileSync('ps', ['axww', '-o', 'args']).toString();

async function station(installer: 'link' | 'pip') {
  vi.stubEnv('HOST_SECRET', SECRET);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const folder = await temporaryFolder();
  await chmod(folder, 0o755);
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const registry = await Registry.open(path.join(folder, 'store'), { durability: 'none' });
  onTestFinished(() => registry.close());
  const venvs = new VenvManager({ python: PYTHON, installer, wheelStore: registry.layout.wheelStore });
  const deployer = new Deployer({ registry, venvs });
  onTestFinished(() => deployer.close());
  const notes = path.join(folder, 'notes');
  await writeFile(notes, '');
  await chmod(notes, 0o666);
  const address = server.address();
  const mark = `hostile-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const targets = {
    ...{ notes, mark, store: registry.layout.root, host: process.pid, secret: SECRET },
    other: registry.layout.deployed('victim', '1.0.0'),
    port: typeof address === 'object' && address ? address.port : 0,
  };
  const packages = {
    victim: await buildPackage({ name: 'victim' }),
    attacker: await hostilePackage(targets),
  };
  for (const [name, bytes] of Object.entries(packages)) {
    const zip = path.join(folder, `${name}.zip`);
    await writeFile(zip, bytes);
    await deployer.install(zip);
  }
  return { registry, deployer, notes, mark };
}

describe.runIf(isRoot).each(['link', 'pip'] as const)(
  'a package that tries ten things at seven moments, installed by %s',
  (installer) => {
    test('is held in the trial and in both workers, and nothing of it stays behind', async () => {
      const { registry, deployer, notes, mark } = await station(installer);
      const users = [{}, { uid: 54_321, gid: 54_322 }];
      for (const worker of ['sdk', 'bundled'] as const) {
        for (const user of users) {
          const policy = { network: 'none', resources: { openFiles: 64 }, ...user } as const;
          await using supervisor = new AlgorithmSupervisor({ registry, worker, policy });
          const result = await supervisor.execute({
            ...{ target: { name: 'attacker', version: '1.0.0' }, stepIndex: 1, image },
            timeoutMs: 20_000,
          });
          expect(result).toMatchObject({ status: 'OK' });
          expect(supervisor.status()[0]?.workers[0]?.bounds).toMatchObject({
            ...{ processes: true, files: true, sharedMemory: true, network: 'none', capabilities: true },
            ...{ oomScoreAdj: 500, missing: [] },
          });
          await supervisor.close();
          expect(processes()).not.toContain(mark);
        }
      }
      const found = await notesOf(notes);
      expect(found.filter(({ got }) => got !== null)).toEqual([]);
      const cells = (where: Note['where']) =>
        new Set(
          found.filter((note) => note.where === where).map(({ moment, attempt }) => `${moment}: ${attempt}`),
        );
      expect(cells('worker').size).toBe(MOMENTS.length * ATTEMPTS.length);
      // The trial ends without teardown and atexit: it has what it wants to know.
      expect(cells('trial').size).toBe((MOMENTS.length - 2) * ATTEMPTS.length);
      expect(readdirSync('/dev/shm').filter((name) => name.includes(mark))).toEqual([]);
      for (const name of ['victim', 'attacker']) {
        expect(await deployer.verify(name, '1.0.0')).toMatchObject({ drift: [] });
      }
    });
  },
);
