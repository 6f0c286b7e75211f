import { mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AlgorithmSupervisor, type AlgorithmSupervisorOptions } from '../../src/index.js';
import { LogFolder, resolveLogOptions } from '../../src/supervisor/worker-logs/log-folder.js';
import { FakeWorker, TemporaryStore } from '../../src/testing/index.js';
import { phasedSource } from '../support/bundled-worker.js';
import { watchFileSteps } from '../../src/testing/file-steps/watch-file-steps.js';
import { patient } from '../support/patient.js';
import { temporaryFolder } from '../support/temp-folder.js';

const image = { data: new Uint8Array(12), width: 2, height: 2 };
const TRACEBACK =
  'Traceback (most recent call last):\n  File "/a/main.py", line 7, in execute\nValueError: dark';
const SOURCE = phasedSource(
  `sys.stderr.write('{"level": "warning", "message": "lamp at 80 %", "lamp": 80}\\n' + ${JSON.stringify(`${TRACEBACK}\n`)})
return ok()`,
  'import sys',
);

async function serve(options: Partial<AlgorithmSupervisorOptions> = {}, source?: string) {
  const store = await TemporaryStore.open();
  const fake = new FakeWorker();
  const { name, version } = await store.deploy(source === undefined ? { worker: fake } : { source });
  await store.registry.activate({ name, version, productIds: ['A01'] });
  const supervisor = new AlgorithmSupervisor({ policy: patient(), registry: store.registry, ...options });
  onTestFinished(async () => {
    await supervisor.close();
    await fake.close();
    await store.close();
  });
  const folder = store.registry.layout.workerLogs;
  /** Lines of the first worker, once everything is written. */
  const lines = async () => {
    await supervisor.close();
    const text = await readFile(path.join(folder, name, version, '0.jsonl'), 'utf8');
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { store, fake, supervisor, folder, lines };
}

test('what a worker logs lies on disk by version and worker, with the call, from ready to its end', async () => {
  const { supervisor, lines } = await serve({}, SOURCE);
  const logged = new Promise<void>((resolve) =>
    supervisor.on('log', ({ level }) => {
      if (level === 'error') resolve();
    }),
  );
  const { requestId } = await supervisor.execute({ productId: 'A01', stepIndex: 3, image });
  await logged;
  const written = await lines();
  const about = { request: requestId, product_id: 'A01', step: 3 };
  expect(written).toMatchObject([
    { level: 'info', message: 'the worker is ready', process_id: expect.any(Number) as number },
    { level: 'warning', message: 'lamp at 80 %', lamp: 80, ...about },
    { level: 'error', message: TRACEBACK, exception: { type: 'ValueError', line: 7 }, ...about },
    { level: 'info', message: 'the worker ended: closed', exit_code: 0 },
  ]);
  for (const { time } of written) expect(new Date(time as string).toISOString()).toBe(time);
});

test('a logger of the host takes the same lines by their levels, and one that throws harms nothing', async () => {
  const seen: unknown[] = [];
  const logger = {
    debug: () => undefined,
    info: (_: object, message: string) => seen.push(['info', message]),
    warn: (fields: object) => seen.push(['warn', fields]),
    error: () => {
      throw new Error('the logger is broken');
    },
  };
  const { fake, supervisor, lines } = await serve({ logger });
  fake.answerOnce('execute', (call) => {
    call.process.log('WARNING', 'hot', { celsius: 80 });
    call.process.log('error', 'too hot');
    return { data: { result_status: 'OK' } };
  });
  const logged = new Promise<void>((resolve) =>
    supervisor.on('log', ({ level }) => {
      if (level === 'error') resolve();
    }),
  );
  await supervisor.execute({ productId: 'A01', stepIndex: 1, image });
  await logged;
  expect(await lines()).toHaveLength(4);
  expect(seen).toMatchObject([
    ['info', 'the worker is ready'],
    ['warn', { name: 'sample', version: '1.0.0', worker: '0', celsius: 80, product_id: 'A01', step: 1 }],
    ['info', 'the worker ended: closed'],
  ]);
});

test('workerLogs: { enabled: false } writes nothing, and a store that is gone does not come back by its logs', async () => {
  const silent = await serve({ workerLogs: { enabled: false } });
  await silent.supervisor.start('sample', '1.0.0');
  await silent.supervisor.close();
  await expect(readdir(silent.folder)).rejects.toMatchObject({ code: 'ENOENT' });
  const gone = await serve();
  await gone.supervisor.start('sample', '1.0.0');
  const { root } = gone.store.registry.layout;
  await rename(root, `${root} moved`);
  await gone.supervisor.close();
  await expect(readdir(root)).rejects.toMatchObject({ code: 'ENOENT' });
  await rm(`${root} moved`, { recursive: true });
});

test.each([{ maxBytes: 0 }, { maxDays: -1 }, { maxTotalBytes: NaN }, { maxByte: 5 }])(
  'bounds %j of the logs are refused by name',
  async (workerLogs) => {
    const store = await TemporaryStore.open();
    onTestFinished(() => store.close());
    const { registry } = store;
    expect(() => new AlgorithmSupervisor({ registry, workerLogs })).toThrow(
      expect.objectContaining({
        code: 'invalid_params',
        message: expect.stringContaining('workerLogs') as string,
      }),
    );
  },
);

describe('the files', () => {
  async function folder(bounds: Parameters<typeof resolveLogOptions>[0]) {
    const root = path.join(await temporaryFolder(), 'logs', 'workers');
    return { root, logs: new LogFolder(root, resolveLogOptions(bounds)) };
  }

  test('a file past its bytes becomes the one before, of which there is one', async () => {
    const { root, logs } = await folder({ maxBytes: 100 });
    for (let n = 0; n < 5; n++) await logs.append('a', '1', '0', `${String(n).repeat(59)}\n`);
    const files = path.join(root, 'a', '1');
    expect((await readdir(files)).sort()).toEqual(['0.1.jsonl', '0.jsonl']);
    expect(await readFile(path.join(files, '0.jsonl'), 'utf8')).toBe(`${'4'.repeat(59)}\n`);
    expect(await readFile(path.join(files, '0.1.jsonl'), 'utf8')).toBe(`${'3'.repeat(59)}\n`);
  });

  test('a host that starts again goes on in the file, within its bounds', async () => {
    const { root, logs } = await folder({ maxBytes: 100 });
    await logs.append('a', '1', '0', `${'a'.repeat(59)}\n`);
    await new LogFolder(root, resolveLogOptions({ maxBytes: 100 })).append(
      'a',
      '1',
      '0',
      `${'b'.repeat(59)}\n`,
    );
    expect(await readFile(path.join(root, 'a', '1', '0.jsonl'), 'utf8')).toBe(`${'b'.repeat(59)}\n`);
  });

  test('a file that a viewer keeps from being renamed gets its lines, within the bytes of all, and is renamed after that', async () => {
    const { root, logs } = await folder({ maxBytes: 100, maxTotalBytes: 200 });
    const line = (letter: string) => `${letter.repeat(59)}\n`;
    const add = (letter: string) => logs.append('a', '1', '0', line(letter));
    const files = path.join(root, 'a', '1');
    await add('a');
    // A folder in the way, as a file that is open on Windows: the system refuses the rename.
    const inTheWay = path.join(files, '0.1.jsonl');
    await mkdir(path.join(inTheWay, 'of a viewer'), { recursive: true });
    await add('b');
    await add('c');
    await expect(add('d')).rejects.toMatchObject({ syscall: 'rename' });
    expect(await readFile(path.join(files, '0.jsonl'), 'utf8')).toBe(line('a') + line('b') + line('c'));
    await rm(inTheWay, { recursive: true });
    await add('e');
    expect(await readFile(path.join(files, '0.jsonl'), 'utf8')).toBe(line('e'));
  });

  test('an old file that a viewer keeps from being removed keeps no other one', async () => {
    const { root, logs } = await folder({ maxDays: 1 });
    const file = (worker: string) => path.join(root, 'a', '1', `${worker}.jsonl`);
    const old = new Date(Date.now() - 2 * 86_400_000);
    for (const worker of ['0', '1']) {
      await logs.append('a', '1', worker, 'a line\n');
      await utimes(file(worker), old, old);
    }
    using _ = watchFileSteps(root, { mode: 'fail', at: 1, code: 'EBUSY' });
    await logs.prune();
    expect(await readdir(path.dirname(file('0')))).toHaveLength(1);
  });

  test('files that are too old go, then the oldest past the bytes of all', async () => {
    const { root, logs } = await folder({ maxTotalBytes: 150, maxDays: 2 });
    for (const worker of ['0', '1', '2', '3']) {
      await logs.append('a', '1', worker, `${worker.repeat(59)}\n`);
      const writtenAt = new Date(Date.now() - Number(worker) * 86_400_000 * 0.9);
      await utimes(path.join(root, 'a', '1', `${worker}.jsonl`), writtenAt, writtenAt);
    }
    await writeFile(path.join(root, 'a', 'notes.txt'), 'not ours');
    await logs.prune();
    expect((await readdir(path.join(root, 'a', '1'))).sort()).toEqual(['0.jsonl', '1.jsonl']);
    expect(await readdir(path.join(root, 'a'))).toContain('notes.txt');
  });
});
