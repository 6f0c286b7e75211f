import { rename } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { isPackageFault } from '../../src/deploy/failure.js';
import { RunnerError } from '../../src/errors.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { barePython } from '../support/bare-python.js';
import { deployStore } from '../support/deploy-store.js';
import { plainSteps } from '../support/plain-steps.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';

const bug = () => Promise.reject(new TypeError("Cannot read properties of undefined (reading 'x')"));

test('a bug of the library in an install is internal, asks to report it, and is no fault of the package: it is tried again', async () => {
  let isBroken = true;
  const { deployer, zip } = await deployStore({
    steps: {
      ...plainSteps,
      environment: (...args) => (isBroken ? bug() : plainSteps.environment(...args)),
    },
  });
  const invalid: unknown[] = [];
  deployer.on('invalid', (event) => invalid.push(event));
  const file = await zip();
  const failure: unknown = await deployer.install(file).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    ...{ name: 'RunnerError', code: 'internal', cause: { name: 'TypeError' } },
    message: expect.stringMatching(/fault of procvision-runner.*report it/s) as string,
    details: { stack: expect.stringContaining('TypeError') as string },
  });
  expect(invalid).toEqual([]);
  isBroken = false;
  await deployer.install(file);
});

test('a watched folder installs a package that met a bug of the library as soon as the bug is gone', async () => {
  let attempts = 0;
  const { deployer, registry, zip } = await deployStore({
    settleMs: 0,
    steps: {
      ...plainSteps,
      environment: (...args) => (++attempts < 3 ? bug() : plainSteps.environment(...args)),
    },
  });
  const codes: string[] = [];
  deployer.on('error', ({ error }) => codes.push(error.code));
  const installed = new Promise((resolve) => deployer.once('installed', resolve));
  await rename(await zip(), `${registry.layout.zips}/a.zip`);
  await using _watch = deployer.watch({ intervalMs: 5, install: true });
  await installed;
  expect(codes).toEqual(['internal', 'internal']);
});

test('a Python of the machine without the module venv is no fault of the package, one of the package is', async () => {
  const root = await temporaryFolder();
  const found = await new VenvManager().select({});
  const python = await barePython(found.path, path.join(root, 'machine'), ['venv', 'ensurepip']);
  const venvs = new VenvManager({ python });
  const interpreter = await venvs.select({});
  const make = (dir: string) =>
    venvs.create(path.join(root, dir), { interpreter }).catch((error: unknown) => error);
  const failures = [await make('version/venv'), await make('machine/venv')];
  for (const failure of failures) {
    expect(failure).toMatchObject({
      code: 'install_failed',
      message: expect.stringMatching(/venv/) as string,
    });
  }
  expect(failures.map((failure) => isPackageFault(failure as RunnerError))).toEqual([false, true]);
});

test.each(['install', 'uninstall', 'prune'] as const)(
  'what the system refuses of the registry stays store_failed in %s',
  async (operation) => {
    const { deployer, registry, zip } = await deployStore({ retention: { keep: 1 } });
    const [first, second, third] = [
      await zip({ version: '1.0.0' }),
      await zip({ version: '2.0.0' }),
      await zip({ version: '3.0.0' }),
    ];
    await deployer.install(first);
    await deployer.install(second);
    const calls = {
      install: () => deployer.install(third),
      uninstall: () => deployer.uninstall('sample', '1.0.0'),
      prune: () => deployer.prune(),
    };
    using _failing = watchFileSteps(registry.layout.root, {
      ...{ mode: 'fail', at: { call: 'rename', target: 'registry.json' }, code: 'EIO' },
    });
    const failure: unknown = await calls[operation]().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'store_failed', cause: { code: 'EIO' } });
    expect(RunnerError.is(failure)).toBe(true);
  },
);
