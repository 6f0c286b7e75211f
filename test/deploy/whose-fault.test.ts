import { rename } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { RunnerError } from '../../src/errors.js';
import { deployStore } from '../support/deploy-store.js';
import { plainSteps } from '../support/plain-steps.js';
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
