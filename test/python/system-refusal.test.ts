import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { isPackageFault } from '../../src/deploy/failure.js';
import { RunnerError } from '../../src/errors.js';
import { refusedBySystem } from '../../src/python/system-refusal.js';
import { VenvManager } from '../../src/python/venv-manager.js';
import { NO_MOUNTS, readOnly, smallDisk } from '../support/mounts.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { wheelFolder } from '../support/wheels.js';

describe.skipIf(process.platform === 'win32')('what Python programs write of the system', () => {
  test.each([
    ["Error: [Errno 28] No space left on device: '/s/venv'", 'ENOSPC', '/s/venv'],
    ['Error: [Errno 30] Read-only file system', 'EROFS', undefined],
    [
      "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device: '/s/x'",
      'ENOSPC',
      '/s/x',
    ],
    ['OSError: [Errno 5] Input/output error', 'EIO', undefined],
    ["PermissionError: [Errno 13] Permission denied: '/s/a b'", 'EACCES', '/s/a b'],
    ['pip._internal.exceptions.OSError: [Errno 24] Too many open files', 'EMFILE', undefined],
  ])('%s is the station’s, by %s of %s', (line, code, file) => {
    const failure = refusedBySystem(['Collecting x', line], 'install it', { exitCode: 1 });
    expect(failure).toMatchObject({
      ...{ code: 'store_failed', errorCode: '2005', cause: { code, path: file } },
      details: { exitCode: 1, ...(file !== undefined && { path: file }) },
      message: expect.stringContaining(`Could not install it: ${code}: `) as string,
    });
  });

  test.each([
    "OSError: [Errno 36] File name too long: '/s/x'",
    "FileNotFoundError: [Errno 2] No such file or directory: '/s/x'",
    'ERROR: No matching distribution found for [Errno 28] No space left on device',
    'ERROR: x-1.0.whl, Error: [Errno 28] No space left on device, is not supported',
    'OSError: [Errno 280] something',
  ])('%s is not', (line) => {
    expect(refusedBySystem([line], 'install it', {})).toBeUndefined();
  });
});

describe.skipIf(NO_MOUNTS)(`a disk${NO_MOUNTS === undefined ? '' : ` (left out: ${NO_MOUNTS})`}`, () => {
  const failureOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );
  const big = { name: 'big', version: '1.0', files: { 'big.bin': new Uint8Array(6_000_000) } };

  function expectStations(failure: unknown, code: string): void {
    expect(failure).toMatchObject({ code: 'store_failed', errorCode: '2005', cause: { code } });
    expect(RunnerError.is(failure) && isPackageFault(failure)).toBe(false);
  }

  test('without one free block, where an environment is to be made, is the station’s fault', async () => {
    const { folder, fill } = await smallDisk(4);
    fill();
    const venvs = new VenvManager({ python: 'python3' });
    const interpreter = await venvs.select({});
    expectStations(await failureOf(venvs.create(path.join(folder, 'venv'), { interpreter })), 'ENOSPC');
  });

  test('that is read-only, where an environment is to be made, is the station’s fault', async () => {
    const folder = await temporaryFolder();
    readOnly(folder);
    const venvs = new VenvManager({ python: 'python3' });
    const interpreter = await venvs.select({});
    expectStations(await failureOf(venvs.create(path.join(folder, 'venv'), { interpreter })), 'EROFS');
  });

  test.each(['pip', 'link'] as const)(
    'that fills up while wheels are installed (%s) is the station’s fault',
    async (installer) => {
      const { folder } = await smallDisk(4);
      const venvs = new VenvManager({ python: 'python3', installer });
      const interpreter = await venvs.select({});
      const venv = await venvs.create(path.join(folder, 'venv'), { interpreter });
      expectStations(await failureOf(venvs.install(venv, await wheelFolder([big], 'big\n'))), 'ENOSPC');
    },
  );

  test.each(['pip', 'link'] as const)(
    'that becomes read-only before wheels are installed (%s) is the station’s fault',
    async (installer) => {
      const folder = await temporaryFolder();
      const venvs = new VenvManager({ python: 'python3', installer });
      const interpreter = await venvs.select({});
      const venv = await venvs.create(path.join(folder, 'venv'), { interpreter });
      readOnly(folder);
      expectStations(await failureOf(venvs.install(venv, await wheelFolder([big], 'big\n'))), 'EROFS');
    },
  );
});
