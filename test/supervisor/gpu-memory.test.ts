import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { GpuMemory, parseUses } from '../../src/supervisor/pool/gpu-memory.js';
import { TemporaryStore } from '../../src/testing/index.js';
import { temporaryFolder } from '../support/temp-folder.js';

const MIB = 1024 * 1024;

/** A program `nvidia-smi` that prints a file, and counts how often it was asked. */
async function fakeProgram(script = 'cat "$0.uses"') {
  const folder = await temporaryFolder();
  const program = path.join(folder, 'nvidia-smi');
  const tell = (...lines: string[]) =>
    writeFile(`${program}.uses`, lines.map((line) => `${line}\n`).join(''));
  await tell();
  await writeFile(program, `#!/bin/sh\necho "$@" >> "$0.asked"\n${script}\n`, { mode: 0o755 });
  return { PATH: `${folder}${path.delimiter}${process.env.PATH ?? ''}`, tell };
}

/** A process of ours that waits. */
async function child() {
  const started = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e9)'], { stdio: 'ignore' });
  onTestFinished(() => void started.kill('SIGKILL'));
  await once(started, 'spawn');
  return started.pid ?? 0;
}

test('lines of nvidia-smi are read; what it does not know, or says in words, is left out', () => {
  const text =
    '4711, GPU-8a3f, 1024\n4711, GPU-77, 3\r\n12, GPU-8a3f, [N/A]\nNo running processes found\n\n, , \n-1, GPU-1, 5\n';
  expect(parseUses(text)).toEqual([
    { processId: 4711, device: 'GPU-8a3f', memoryBytes: 1024 * MIB },
    { processId: 4711, device: 'GPU-77', memoryBytes: 3 * MIB },
  ]);
});

describe.skipIf(process.platform === 'win32')('memory of GPUs by process', () => {
  test('is that of the process and, on Linux, of all it started, by device', async () => {
    const { PATH, tell } = await fakeProgram();
    const [one, other] = [await child(), await child()];
    await tell(`${one}, GPU-a, 100`, `${other}, GPU-a, 20`, `${other}, GPU-b, 3`);
    const gpus = new GpuMemory({ PATH });
    expect(gpus.of(one)).toBeUndefined();
    await gpus.look();
    expect(gpus.of(one)).toEqual([{ device: 'GPU-a', memoryBytes: 100 * MIB }]);
    expect(gpus.of(1)).toEqual([]);
    if (process.platform !== 'linux') return;
    expect(gpus.of(process.pid)).toEqual([
      { device: 'GPU-a', memoryBytes: 120 * MIB },
      { device: 'GPU-b', memoryBytes: 3 * MIB },
    ]);
  });

  test.each([
    ['no such program', { PATH: path.join(path.sep, 'nowhere') }],
    ['a folder of the working directory', { PATH: `.${path.delimiter}bin` }],
    ['no PATH', {}],
  ])('with %s nothing is known, and nothing is started', async (_title, env) => {
    const gpus = new GpuMemory(env);
    await gpus.look();
    expect(gpus.of(process.pid)).toBeUndefined();
  });

  test('a program that fails tells nothing, and one that hangs is ended by close()', async () => {
    const failing = new GpuMemory({ PATH: (await fakeProgram('echo "1, GPU-a, 5"; exit 9')).PATH });
    await failing.look();
    expect(failing.of(1)).toBeUndefined();
    const hanging = new GpuMemory({ PATH: (await fakeProgram('sleep 600')).PATH });
    const look = hanging.look();
    await hanging.close();
    await look;
    expect(hanging.of(1)).toBeUndefined();
  });

  test('status() has it for each worker and for the version, and close() leaves nothing', async () => {
    const { PATH, tell } = await fakeProgram();
    vi.stubEnv('PATH', PATH);
    onTestFinished(() => void vi.unstubAllEnvs());
    await using store = await TemporaryStore.open();
    await store.deploy();
    const supervisor = store.supervise({ policy: { workers: 2 } });
    await supervisor.start('sample', '1.0.0');
    const ids = supervisor.status()[0]?.workers.map(({ processId }) => processId) ?? [];
    await tell(`${ids[0]}, GPU-a, 512`, `${ids[0]}, GPU-b, 8`, `${ids[1]}, GPU-a, 256`, '1, GPU-a, 9000');
    await expect
      .poll(() => supervisor.status(), { timeout: 20_000 })
      .toMatchObject([
        {
          gpuMemoryBytes: 776 * MIB,
          workers: [
            {
              gpuMemoryBytes: 520 * MIB,
              gpus: [
                { device: 'GPU-a', memoryBytes: 512 * MIB },
                { device: 'GPU-b', memoryBytes: 8 * MIB },
              ],
            },
            { gpuMemoryBytes: 256 * MIB },
          ],
        },
      ]);
  });
});
