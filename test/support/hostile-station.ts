import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { Deployer } from '../../src/deploy/deployer.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { Registry } from '../../src/registry/registry.js';
import { buildPackage } from '../../src/testing/index.js';
import { ATTEMPTS, hostilePackage } from './hostile-package.js';
import { temporaryFolder } from './temp-folder.js';

/** One below /root is nobody else's to run. */
export const SYSTEM_PYTHON = '/usr/bin/python3';

/** How one attempt went; `got` is null where it was held. */
export interface Note {
  where: 'trial' | 'worker';
  moment: string;
  attempt: string;
  got: unknown;
}

/** A store with an honest package and one that makes every attempt at every moment, and what the latter notes. */
export interface HostileStation {
  registry: Registry;
  deployer: Deployer;
  /** Argument of its daemons, and part of the name of its shared memory. */
  mark: string;
  /** All notes so far. */
  notes: () => Promise<Note[]>;
  /** Takes the notes so far away. */
  forget: () => Promise<void>;
}

/** The store, made by a host that has a secret in its environment and a server on its loopback. Gone when the test ends. */
export async function hostileStation(installer: 'link' | 'pip'): Promise<HostileStation> {
  const secret = 'the token of the host';
  vi.stubEnv('HOST_SECRET', secret);
  onTestFinished(() => void vi.unstubAllEnvs());
  const folder = await temporaryFolder();
  await chmod(folder, 0o755);
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const registry = await Registry.open(path.join(folder, 'store'), { durability: 'none' });
  onTestFinished(() => registry.close());
  const venvs = new VenvManager({ python: SYSTEM_PYTHON, installer, wheelStore: registry.layout.wheelStore });
  const deployer = new Deployer({ registry, venvs });
  onTestFinished(() => deployer.close());
  const file = path.join(folder, 'notes');
  const forget = () => writeFile(file, '');
  await forget();
  await chmod(file, 0o666);
  const address = server.address();
  const mark = `hostile-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const targets = {
    ...{ notes: file, mark, store: registry.layout.root, host: process.pid, secret },
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
  const notes = async () => {
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line): Note => {
      const [script, moment, number, got] = JSON.parse(line) as [string, string, number, unknown];
      return {
        where: script === 'probe.py' ? 'trial' : 'worker',
        moment,
        attempt: ATTEMPTS[number] ?? '',
        got,
      };
    });
  };
  return { registry, deployer, mark, notes, forget };
}
