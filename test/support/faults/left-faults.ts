import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { generateSigningKeys, signPackage } from '../../../src/signing/index.js';
import { isTemporaryName } from '../../../src/store/atomic-file.js';
import { createOwnerFile, newOwner } from '../../../src/store/lock-owner.js';
import { buildPackage } from '../../../src/testing/index.js';
import { ownPidNamespace } from '../../../src/process/identity.js';
import { signalTree } from '../../../src/process/tree.js';
import { TOKEN_VARIABLE } from '../../../src/worker/worker-command.js';
import { back, deadProcess, HOUR_MS, notLinux, until, type Fault } from './station.js';

async function addLock(file: string, over: Partial<Awaited<ReturnType<typeof newOwner>>>): Promise<void> {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  await createOwnerFile(`${file}.owner`, { ...(await newOwner('install sample 2.0.0')), ...over });
}

/** Starts what looks like a worker of a version, whose command line has this order; gives its process id. */
export async function startLeftWorker(version: string, order: Record<string, unknown>): Promise<number> {
  const env = { ...process.env, [TOKEN_VARIABLE]: 'token', PROC_ALGO_ROOT: version };
  const child = spawn('sh', ['-c', 'sleep 60; :', JSON.stringify(order)], {
    ...{ env, detached: true, stdio: 'ignore' },
  });
  onTestFinished(() => {
    signalTree(child.pid ?? 0, 'SIGKILL');
  });
  await new Promise((resolve) => child.once('spawn', resolve));
  return child.pid ?? 0;
}

/** Of packages in zips/, and what dead processes left. */
export const LEFT_FAULTS: readonly Fault[] = [
  {
    title: 'a text named as a package',
    id: 'zip.invalid',
    names: 'invalid_zip',
    inject: ({ registry: { layout }, surroundings }) => {
      fs.writeFileSync(path.join(layout.zips, 'x.zip'), 'a page of an error');
      surroundings.now = () => Date.now() + 5_000;
    },
    remedy: ({ registry: { layout } }) => {
      fs.rmSync(path.join(layout.zips, 'x.zip'));
    },
  },
  {
    title: 'a package that is signed with a wrong key',
    id: 'zip.invalid',
    names: 'sign',
    inject: async (station) => {
      const [wrong, right] = [generateSigningKeys(), generateSigningKeys()];
      const [from, to] = [
        path.join(station.folder, 'p.zip'),
        path.join(station.registry.layout.zips, 'p.zip'),
      ];
      fs.writeFileSync(from, await buildPackage({ name: 'other', sdk: null }));
      await signPackage(from, { privateKey: wrong.privateKey, output: to });
      station.options = { integrity: { mode: 'strict', publicKeys: [right.publicKey] } };
      station.surroundings.now = () => Date.now() + 5_000;
      until(() => {
        fs.rmSync(to);
      });
    },
    remedy: back,
  },
  {
    title: 'a lock of the store of a dead process',
    id: 'lock.left',
    inject: async ({ registry: { layout } }) => addLock(layout.lock, await deadProcess()),
    remedy: 'fix',
  },
  {
    title: 'a lock of a version of a dead process',
    id: 'lock.left',
    names: '2.0.0.lock',
    inject: async ({ registry: { layout } }) =>
      addLock(layout.versionLock('sample', '2.0.0'), await deadProcess()),
    remedy: 'fix',
  },
  {
    title: 'a lock file that says nothing',
    id: 'lock.left',
    names: 'does not say',
    inject: ({ registry: { layout } }) => fs.writeFileSync(layout.lock, ''),
    remedy: 'fix',
  },
  {
    title: 'a lock that a live process has held for two hours',
    id: 'lock.held',
    names: String(process.pid),
    inject: ({ registry: { layout } }) =>
      addLock(layout.lock, { acquiredAt: new Date(Date.now() - 2 * HOUR_MS).toISOString() }),
    remedy: ({ registry: { layout } }) => fs.rmSync(`${layout.lock}.owner`),
  },
  {
    title: 'a lock of another machine',
    id: 'lock.unseen',
    names: 'line-7',
    inject: ({ registry: { layout } }) => addLock(layout.lock, { host: 'line-7', machine: 'x', bootId: 'y' }),
    remedy: ({ registry: { layout } }) => fs.rmSync(`${layout.lock}.owner`),
  },
  {
    title: 'an install that was cut off',
    id: 'operation.left',
    names: 'install of sample 2.0.0',
    inject: async ({ registry: { layout } }) => {
      const folder = path.join(layout.staging, '1.2.abcdef01.12345678');
      fs.mkdirSync(folder, { recursive: true });
      const record = {
        format: 1,
        id: 'x',
        operation: 'install',
        name: 'sample',
        version: '2.0.0',
        holder: await deadProcess(),
        started_at: '2026-01-01T00:00:00Z',
      };
      fs.writeFileSync(path.join(folder, 'journal.json'), JSON.stringify(record));
    },
    remedy: 'fix',
  },
  {
    title: 'a mark of use of a dead process',
    id: 'use.left',
    inject: async ({ registry: { layout } }) => {
      const folder = path.join(layout.algorithms, '.uses', 'sample', '1.0.0');
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(path.join(folder, 'mark.json'), JSON.stringify(await deadProcess()));
    },
    remedy: 'fix',
  },
  {
    title: 'a registry half written',
    id: 'file.left',
    inject: ({ root }) => {
      const name = '.registry.json.11111111-2222-3333-4444-555555555555.tmp';
      expect(isTemporaryName(name)).toBe(true);
      fs.writeFileSync(path.join(root, name), '{');
    },
    remedy: 'fix',
  },
  {
    title: 'a worker whose host is dead',
    id: 'process.left',
    names: 'sample 1.0.0',
    skip: notLinux,
    inject: async ({ version }) => {
      const { pid: host } = await deadProcess();
      await startLeftWorker(version, { host, pid_namespace: ownPidNamespace() });
    },
    remedy: 'fix',
  },
];
