import { expect, test } from 'vitest';
import { assetPath } from '../../src/assets.js';
import { DEFAULT_WORKER_LIMITS } from '../../src/worker/limits.js';
import type { WorkerSpec } from '../../src/worker/types.js';
import { standIn } from '../../src/worker/stand-ins.js';
import { workerCommand } from '../../src/worker/worker-command.js';

const spec: WorkerSpec = {
  name: 'sample',
  version: '1.0.0',
  root: '/algorithms/sample',
  python: '/venv/bin/python',
  entryPoint: 'main:Algorithm',
  frameDirectory: '/dev/shm/frames',
};
const ADAPTER = ['procvision_algorithm_sdk.adapter', '--entry', 'main:Algorithm'];

test('on POSIX the adapter runs in a launcher that knows its host, started without the packages of any environment', () => {
  const { command, args } = workerCommand(spec, DEFAULT_WORKER_LIMITS);
  expect(command).toBe(spec.python);
  const [flag, launcher, order = '', ...rest] = args;
  expect([flag, launcher, rest]).toEqual(['-S', assetPath('worker/launch.py'), ADAPTER]);
  expect(JSON.parse(order)).toMatchObject({ host: process.pid, root: spec.root, namespaces: true });
});

test('a program of the test kit stands in for the worker of one folder, with the environment of a worker', () => {
  const root = `${spec.root}-fake`;
  standIn(root, ['node', 'worker.js', 'an argument']);
  const { env, ...rest } = workerCommand({ ...spec, root }, DEFAULT_WORKER_LIMITS);
  expect(rest).toMatchObject({ command: 'node', args: ['worker.js', 'an argument'] });
  expect(env).toMatchObject({ PROC_ALGO_ROOT: root, PROC_SHM_DIR: spec.frameDirectory });
  expect(workerCommand(spec, DEFAULT_WORKER_LIMITS).command).toBe(spec.python);
});

test('memory of an image freed by the algorithm is kept for the next, unless the spec says otherwise', () => {
  expect(workerCommand(spec, DEFAULT_WORKER_LIMITS).env).toMatchObject({
    MALLOC_MMAP_THRESHOLD_: '33554432',
    MALLOC_TRIM_THRESHOLD_: '134217728',
  });
  const env = { MALLOC_TRIM_THRESHOLD_: '0', PROC_ALGO_ROOT: '/elsewhere' };
  expect(workerCommand({ ...spec, env }, DEFAULT_WORKER_LIMITS).env).toMatchObject({
    MALLOC_TRIM_THRESHOLD_: '0',
    PROC_ALGO_ROOT: spec.root,
  });
});

test('on Windows the interpreter of the environment starts in a launcher that makes a job, with the limits for it', () => {
  const resources = { addressSpaceBytes: 2 ** 30, openFiles: 512, cpus: 1.5, processes: 4 };
  const given = { ...spec, resources };
  const { command, args, isKept } = workerCommand(given, DEFAULT_WORKER_LIMITS, { platform: 'win32' });
  expect([command, isKept]).toEqual([spec.python, false]);
  const [flag, launcher, order = '', ...rest] = args;
  expect([flag, launcher, rest]).toEqual(['-S', assetPath('worker/launch.py'), ADAPTER]);
  expect(JSON.parse(order)).toMatchObject({
    host: process.pid,
    limits: { address_space_bytes: 2 ** 30, open_files: 512, cpus: 1.5, processes: 4 },
  });
});
