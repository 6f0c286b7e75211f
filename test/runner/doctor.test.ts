import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { doctor, openRunner, Registry, RunnerError } from '../../src/index.js';
import { FINDINGS, type FindingId } from '../../src/runner/doctor/catalogue.js';
import { leftWorkers } from '../../src/runner/doctor/checks/left-workers.js';
import { whyNone } from '../../src/runner/doctor/checks/pythons.js';
import { ownPidNamespace } from '../../src/process/identity.js';
import { thisMachine } from '../../src/runner/doctor/surroundings.js';
import { versionPolicyShape } from '../../src/supervisor/policy-options.js';
import type { DoctorOptions } from '../../src/runner/types.js';
import {
  buildPackage,
  buildWheel,
  sampleAlgorithm,
  TemporaryStore,
  wheelFileName,
} from '../../src/testing/index.js';
import { cliFolder } from '../support/cli.js';
import { readPage } from '../support/doc-snippets.js';
import { LEFT_FAULTS, startLeftWorker } from '../support/faults/left-faults.js';
import { MACHINE_FAULTS } from '../support/faults/machine-faults.js';
import { back, deadProcess, makeStation, PYTHON, type Station } from '../support/faults/station.js';
import { STORE_FAULTS } from '../support/faults/store-faults.js';
import { VERSION_FAULTS } from '../support/faults/version-faults.js';
import { IS_WINDOWS } from '../support/platform.js';
import { temporaryFolder } from '../support/temp-folder.js';

test('a sound station has no finding', async () => {
  const station = await makeStation({ withPythons: true, make: { isVerified: true } });
  const found = await station.look();
  // What this very machine does not give to workers is true of every station on it.
  expect(found.filter(({ id }) => id !== 'namespaces.missing')).toEqual([]);
  const before = await station.content();
  await station.look();
  expect(await station.content()).toEqual(before);
});

const FAULTS = [...MACHINE_FAULTS, ...STORE_FAULTS, ...LEFT_FAULTS, ...VERSION_FAULTS];

describe('a fault is found alone, by its name, and goes by its remedy:', () => {
  for (const fault of FAULTS) {
    const { title, id, names = '', skip } = fault;
    test.skipIf(skip !== undefined)(
      `${title}${skip === undefined ? '' : ` (skipped: ${skip})`}`,
      async () => {
        const station = await makeStation(fault);
        onTestFinished(back);
        const ids = (found: { id: FindingId }[]) =>
          found
            .map((one) => one.id)
            .filter((one) => one !== 'namespaces.missing')
            .sort();
        await fault.inject(station);
        const found = await station.look();
        expect(ids(found)).toEqual([id].flat().sort());
        const finding = found.find((one) => one.id === [id].flat()[0]);
        expect([finding?.what, finding?.why].join(' ').replaceAll('\\', '/')).toMatch(names);
        expect(finding?.remedy).toMatch(/^[A-Z].{15,}/);
        if (fault.remedy === 'fix') await station.fix();
        else await fault.remedy(station);
        expect(ids(await station.look())).toEqual([]);
      },
    );
  }
});

test('at least sixty faults are put in', () => {
  expect(FAULTS.length).toBeGreaterThanOrEqual(60);
});

describe.skipIf(process.platform !== 'linux')('a worker is left alone whose host is not proven dead:', () => {
  test.each([
    ['the host of another container, whose id is free here', { pid_namespace: 'pid:[1]' }],
    ['a host that does not say where it counts', {}],
  ])('%s', async (_, order) => {
    const station = await makeStation();
    const { pid: host } = await deadProcess();
    await startLeftWorker(station.version, { host, ...order });
    expect(await station.look()).toEqual([]);
  });

  test.each([
    ['a process above the worker that cannot be read', { without: 'parent' }],
    ['processes that another PID namespace counts', { self: '1' }],
  ] as const)('%s', async (_, o: { without?: 'parent'; self?: string }) => {
    const { version, registry } = await makeStation();
    const { pid: host } = await deadProcess();
    const worker = await startLeftWorker(version, { host, pid_namespace: ownPidNamespace() });
    const look = async (what: typeof o) => {
      const proc = await temporaryFolder();
      fs.symlinkSync(what.self ?? String(process.pid), path.join(proc, 'self'));
      for (const name of fs.readdirSync('/proc')) {
        if (!/^\d+$/.test(name) || (what.without === 'parent' && name === String(process.pid))) continue;
        fs.symlinkSync(path.join('/proc', name), path.join(proc, name));
      }
      return leftWorkers(registry.layout, { ...thisMachine(), proc });
    };
    expect(await look(o)).toEqual([]);
    expect(await look({})).toMatchObject([{ what: expect.stringContaining(String(worker)) as string }]);
  });
});

test.skipIf(process.platform !== 'linux')(
  'the fix of a worker that was left waits until the process has ended, which takes one with much memory a while',
  async () => {
    const { version, registry } = await makeStation();
    const { pid: host } = await deadProcess();
    const worker = String(await startLeftWorker(version, { host, pid_namespace: ownPidNamespace() }));
    const proc = await temporaryFolder();
    fs.symlinkSync(String(process.pid), path.join(proc, 'self'));
    for (const id of [worker, String(process.pid)]) {
      fs.mkdirSync(path.join(proc, id));
      for (const file of ['stat', 'environ', 'cmdline'])
        fs.writeFileSync(path.join(proc, id, file), fs.readFileSync(path.join('/proc', id, file)));
    }
    fs.writeFileSync(
      path.join(proc, String(process.pid), 'stat'),
      `${process.pid} (node) S 0 ${'0 '.repeat(30)}`,
    );
    const [found] = await leftWorkers(registry.layout, { ...thisMachine(), proc });
    let isThere = true;
    setTimeout(() => {
      fs.rmSync(path.join(proc, worker), { recursive: true });
      isThere = false;
    }, 300);
    await found?.fix?.apply();
    expect(isThere).toBe(false);
  },
);

test('the setting of the kernel that refuses namespaces is named, and that its remedy lets every user have them', async () => {
  const proc = await temporaryFolder();
  const real = thisMachine();
  const write = (file: string, value: string) => {
    fs.mkdirSync(path.dirname(path.join(proc, file)), { recursive: true });
    fs.writeFileSync(path.join(proc, file), value);
  };
  expect(await whyNone({ ...real, proc })).toBeUndefined();
  write('sys/user/max_user_namespaces', '0\n');
  expect(await whyNone({ ...real, proc })).toMatchObject({ why: 'user.max_user_namespaces is 0' });
  write('sys/user/max_user_namespaces', '100\n');
  write('sys/kernel/apparmor_restrict_unprivileged_userns', '1\n');
  expect((await whyNone({ ...real, proc }))?.why).toContain('AppArmor');
  write('sys/kernel/apparmor_restrict_unprivileged_userns', '0\n');
  write('sys/kernel/unprivileged_userns_clone', '0\n');
  expect((await whyNone({ ...real, proc }))?.remedy).toContain('every user');
});

test('a remedy that lets somebody do more than before says who, and no fix does', () => {
  /** Words of commands that give a right. */
  const widening = /chmod (?:-R )?(?:a\+|o\+|1777|777)|sysctl|\bwith exec\b|network: host|--privileged/;
  for (const [id, { remedy, fix }] of Object.entries(FINDINGS) as [
    FindingId,
    { remedy: string; fix?: string },
  ][]) {
    if (widening.test(remedy)) expect(remedy, id).toMatch(/which lets|lets every|lets it/);
    expect(fix ?? '', id).not.toMatch(/gives|allows|lets/);
  }
});

test('docs/doctor.md has every finding with its severity, its remedy and its fix', () => {
  const [, after = ''] = readPage('docs/doctor.md').split('<!-- table: findings -->\n');
  const rows = (after.split('\n\n')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
  const cells = rows.map((line) => line.slice(2, -2).split(' | '));
  const expected = Object.entries(FINDINGS).map(
    ([id, kind]: [string, { severity: string; title: string; remedy: string; fix?: string }]) => [
      `\`${id}\``,
      kind.severity,
      kind.title,
      kind.remedy,
      kind.fix ?? '',
    ],
  );
  expect(cells.map((row) => row.map((cell) => cell.trim()))).toEqual(expected);
});

test('a version that does not start is found by start, with what its output tells', async () => {
  await using store = await TemporaryStore.open();
  await store.deploy({ source: 'import scipy_that_is_not_there\n' });
  const found = await doctor(store.root, { name: 'sample', version: '1.0.0', start: true });
  expect(found.filter(({ severity }) => severity === 'error').map(({ id }) => id)).toEqual([
    'start.failed',
    'module.missing',
  ]);
  expect(found.find(({ id }) => id === 'module.missing')?.what).toContain('scipy_that_is_not_there');
});

test('a start is held against the limit that the policy of the version keeps', async () => {
  await using store = await TemporaryStore.open();
  const version = { name: 'sample', version: '1.0.0' };
  const algorithm = sampleAlgorithm({ ...version, generation: 'phased', productIds: ['A01'] });
  await store.deploy({ source: `import time\ntime.sleep(3.2)\n${algorithm}` });
  await store.registry.configure({ ...version, policy: { limits: { loadMs: 6_000 } } });
  const found = await doctor(store.root, { ...version, start: true, verify: false });
  expect(found.filter(({ id }) => id.startsWith('start.'))).toMatchObject([
    { id: 'start.slow', why: 'It may take 6 seconds' },
  ]);
});

test('a kept policy with all that the policy of a version may have is no finding', async () => {
  const station = await makeStation();
  const policy = { workers: 2, worker: 'bundled', ownFiles: ['*.bin'] };
  await station.registry.configure({ name: 'sample', version: '1.0.0', policy });
  expect(await station.look()).toEqual([]);
});

test('a remedy names options of a policy that there are', () => {
  const options = Object.keys(versionPolicyShape());
  for (const [id, { remedy }] of Object.entries(FINDINGS) as [FindingId, { remedy: string }][])
    for (const [, option] of remedy.matchAll(/\bpolicy\.(\w+)/g)) expect(options, id).toContain(option);
});

describe('packages are looked into', () => {
  async function stationWithWheels() {
    const station = await makeStation({ make: { isBare: true } });
    const wheel = { name: 'tool', version: '1.0', files: { 'tool.py': '' } };
    const wheels = [{ file: wheelFileName(wheel), bytes: await buildWheel(wheel) }];
    const bytes = await buildPackage({ wheels, requirements: 'procvision_algorithm_sdk\ntool\n' });
    const file = path.join(station.registry.layout.zips, 'sample.zip');
    fs.writeFileSync(file, bytes);
    station.surroundings.now = () => Date.now() + 5_000; // no file that is still being copied
    return { station, file };
  }
  const broken = (station: Station) => {
    const python = path.join(station.folder, IS_WINDOWS ? 'broken.exe' : 'broken');
    fs.writeFileSync(python, IS_WINDOWS ? 'no program' : '#!/bin/sh\nexit 3\n', { mode: 0o755 });
    return python;
  };

  test.each(['in zips/', 'that is named'])('with the Pythons of the call: one %s', async (place) => {
    const { station, file } = await stationWithWheels();
    const about = place === 'in zips/' ? {} : { package: file };
    station.options = { ...about, python: PYTHON[0] };
    expect(await station.look()).toEqual([]);
    station.options = { ...about, python: broken(station) };
    expect(await station.look()).toMatchObject([
      { id: 'zip.invalid', what: expect.stringContaining('incompatible_python') as string },
    ]);
  });

  test('with the limits of the runner that is asked', async () => {
    const { station, file } = await stationWithWheels();
    const { layout } = station.registry;
    await using runner = await openRunner(layout, {
      validator: { limits: { maxEntries: 1 } },
      venvs: { python: PYTHON[0] },
    });
    const invalid = async (o?: DoctorOptions) =>
      (await runner.explain({ package: file, ...o })).filter(({ id }) => id === 'zip.invalid');
    expect(await invalid()).toMatchObject([{ path: file }]);
    expect(await invalid({ python: PYTHON[0] })).toEqual([]);
  });

  test('with the Pythons of the runner that is asked, where those of the call are undefined', async () => {
    const { station, file } = await stationWithWheels();
    const venvs = { python: broken(station) };
    await using runner = await openRunner(station.registry.layout, { venvs });
    const found = await runner.explain({ package: file, python: undefined, integrity: undefined });
    expect(found.map(({ id }) => id)).toEqual(['python.none', 'zip.invalid']);
  });
});

test('runner.explain() tells also of workers: of a version that was not started, and of one that fails', async () => {
  await using store = await TemporaryStore.open();
  await store.deploy({ source: 'raise RuntimeError("libGL.so.1: cannot open shared object file")\n' });
  await store.registry.activate({ name: 'sample', version: '1.0.0', productIds: ['A01'] });
  const runner = await openRunner(store.root, { supervisor: { policy: { maxRestarts: 0 } } });
  try {
    const of = async () =>
      (await runner.explain({ verify: false })).filter(({ id }) => id.startsWith('worker.'));
    expect(await of()).toMatchObject([{ id: 'worker.not-started', name: 'sample' }]);
    await expect(runner.supervisor.start('sample', '1.0.0')).rejects.toThrow();
    for (const { why, remedy } of await of()) {
      if (why.includes('libGL')) expect(remedy).toContain('libgl1');
    }
  } finally {
    await runner.close();
  }
});

test('doctor() refuses options that cannot be, and a version that is not deployed', async () => {
  const root = await temporaryFolder();
  await expect(doctor('')).rejects.toMatchObject({ code: 'invalid_params' });
  await expect(doctor(root, { name: 'x' })).rejects.toMatchObject({ code: 'invalid_params' });
  await expect(doctor(root, { start: true })).rejects.toMatchObject({ code: 'invalid_params' });
  const { registry } = await makeStation();
  const missing = doctor(registry.layout, { name: 'x', version: '1' });
  await expect(missing).rejects.toSatisfy((error) => RunnerError.is(error, 'not_found'));
  const signal = AbortSignal.abort();
  await expect(doctor(root, { signal })).rejects.toMatchObject({ code: 'aborted' });
});

test('doctor on the command line names a fault, and puts it right with --fix', async () => {
  const cli = await cliFolder();
  const registry = await Registry.open(path.join(cli.folder, 'station'), { durability: 'none' });
  await registry.close();
  const { layout } = registry;
  fs.rmSync(layout.reserve);
  const idsOf = (said: unknown) => (said as { findings: { id: string }[] }).findings.map(({ id }) => id);
  const first = await cli.run('doctor', '--json');
  expect(first.code).toBe(1);
  expect(idsOf(first.json())).toContain('disk.no-reserve');
  const text = await cli.run('doctor');
  expect(text.stdout).toMatch(/warning disk\.no-reserve: .*\n {2}why .*\n {2}do .*\n {2}fix /);
  const fixed = await cli.run('doctor', '--fix', '--json');
  // Of the machine it may mend more: frames that hosts of other tests have left, which were killed.
  expect((fixed.json() as { fixed: string[] }).fixed).toContainEqual(
    expect.stringContaining('disk.no-reserve'),
  );
  expect(idsOf(fixed.json())).not.toContain('disk.no-reserve');
  expect((await cli.run('doctor', 'none.zip')).code).toBe(3);
  expect((await cli.run('doctor', 'board-check')).code).toBe(2);
  expect((await cli.run('doctor', 'board-check', '1.0.0')).code).toBe(3);
});
