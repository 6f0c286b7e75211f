import { describe, expect, test } from 'vitest';
import { ERROR_NUMBERS, explain, RunnerError, type RunnerErrorCode } from '../../src/index.js';
import type { FINDINGS } from '../../src/runner/doctor/catalogue.js';
import { MEANINGS } from '../../src/runner/doctor/meanings.js';
import { readPage } from '../support/doc-snippets.js';

const CODES = Object.keys(ERROR_NUMBERS) as RunnerErrorCode[];

test('every code has a meaning, causes and a remedy, in the order of the codes', () => {
  expect(Object.keys(MEANINGS)).toEqual(CODES);
  for (const code of CODES) {
    const { meaning, causes, remedy } = MEANINGS[code];
    expect(
      [meaning, remedy].every((text) => text.endsWith('.')),
      code,
    ).toBe(true);
    expect(causes.length, code).toBeGreaterThan(0);
  }
});

test('docs/operations.md says of every code what explain() says', () => {
  const rows = readPage('docs/operations.md')
    .split('<!-- table: codes -->\n')[1]
    ?.split('\n\n')[0]
    ?.split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
  expect(rows?.map(([, meaning, remedy]) => [meaning, remedy])).toEqual(
    CODES.map((code) => [MEANINGS[code].meaning, MEANINGS[code].remedy]),
  );
});

test.each(CODES)('an error without details is explained by its code alone: %s', async (code) => {
  const error = new RunnerError(code, 'it failed', { details: {} });
  const { meaning, causes, remedy } = MEANINGS[code];
  const { retryable } = error;
  expect(await explain(error)).toEqual({ code, meaning, causes, remedy, retryable, findings: [] });
});

test('what is no RunnerError is explained as a fault of this library', async () => {
  expect(await explain(new TypeError('x is undefined'))).toMatchObject({ code: 'internal', findings: [] });
  expect(await explain('a text')).toMatchObject({ code: 'internal' });
});

/** What Python, linkers and libraries write, and what it tells. */
const SAID: [text: string, id: keyof typeof FINDINGS, named: string, remedy: string][] = [
  [
    'ImportError: libGL.so.1: cannot open shared object file: No such file or directory',
    'library.missing',
    'libGL.so.1',
    'libgl1',
  ],
  [
    'ImportError: libgthread-2.0.so.0: cannot open shared object file',
    'library.missing',
    'libgthread-2.0.so.0',
    'glib2',
  ],
  [
    'ImportError: Error loading shared library libgomp.so.1: No such file or directory (needed by /x.so)',
    'library.missing',
    'libgomp.so.1',
    'libgomp1',
  ],
  [
    "ImportError: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /v/m.so)",
    'library.too-old',
    'GLIBC_2.38',
    'older system',
  ],
  [
    'ImportError: DLL load failed while importing cv2: The specified module could not be found.',
    'library.missing',
    'cv2',
    'Visual C++',
  ],
  ['ImportError: /v/m.so: failed to map segment from shared object', 'store.no-exec', 'mapped', 'exec'],
  [
    'ImportError: /v/m.so: cannot allocate memory in static TLS block',
    'library.damaged',
    'TLS',
    'before all others',
  ],
  ['ImportError: /v/m.so: file too short', 'library.damaged', 'file too short', 'copied again'],
  [
    'A module that was compiled using NumPy 1.x cannot be run in NumPy 2.1.3',
    'numpy.mismatch',
    'NumPy 1.x',
    'numpy<2',
  ],
  ["ModuleNotFoundError: No module named 'scipy'", 'module.missing', 'scipy', 'requirements.txt'],
  [
    "ImportError: cannot import name 'Mapping' from 'collections'",
    'module.missing',
    'collections has no Mapping',
    'Pin',
  ],
  [
    '  File "main.py", line 3\n    match x:\nSyntaxError: invalid syntax',
    'code.syntax',
    'invalid syntax',
    'Python',
  ],
  [
    'RuntimeError: CUDA out of memory. Tried to allocate 2 GiB',
    'gpu.memory',
    'out of memory',
    'policy.devices',
  ],
  ['RuntimeError: No CUDA GPUs are available', 'gpu.none', 'GPUs', '--gpus all'],
  [
    'RuntimeError: CUDA driver version is insufficient for CUDA runtime version',
    'gpu.driver',
    'insufficient',
    'driver',
  ],
  ['qt.qpa.xcb: could not connect to display', 'display.missing', 'display', 'offscreen'],
  ["RuntimeError: can't start new thread", 'threads.too-many', 'thread', 'TasksMax'],
  ["OSError: [Errno 24] Too many open files: 'x'", 'files.too-many-open', 'open', 'LimitNOFILE'],
  [
    'numpy.core._exceptions._ArrayMemoryError: Unable to allocate 3.2 GiB for an array',
    'memory.ran-out',
    '3.2 GiB',
    'fewer workers',
  ],
  [
    "OSError: [Errno 28] No space left on device: '/dev/shm/procvision/tmp/x'",
    'disk.full',
    '/dev/shm/procvision/tmp/x',
    'scratchBytes',
  ],
  [
    "OSError: [Errno 30] Read-only file system: '/store/x/model.lock'",
    'algorithm.writes',
    'model.lock',
    'tempfile',
  ],
  [
    "PermissionError: [Errno 13] Permission denied: '/store/x/cache'",
    'algorithm.writes',
    'cache',
    'tempfile',
  ],
  [
    "FileNotFoundError: [Errno 2] No such file or directory: 'weights.onnx'",
    'algorithm.file-missing',
    'weights.onnx',
    '__file__',
  ],
  [
    "FileNotFoundError: [WinError 3] Das System kann den angegebenen Pfad nicht finden: 'weights'",
    'algorithm.file-missing',
    'weights',
    '__file__',
  ],
  [
    "PermissionError: [WinError 5] Access is denied: 'D:\\\\pv\\\\cache'",
    'algorithm.writes',
    'cache',
    'tempfile',
  ],
  [
    'OSError: [WinError 1455] The paging file is too small for this operation to complete',
    'memory.ran-out',
    'paging file',
    'fewer workers',
  ],
  ["OSError: [WinError 112] There is not enough space on the disk: 'D:\\\\x'", 'disk.full', 'x', 'prune'],
  ['OSError: [Errno 101] Network is unreachable', 'algorithm.network', 'unreachable', 'every network'],
  ['TypeError: Object of type float32 is not JSON serializable', 'answer.type', 'float32', 'float(x)'],
];

describe.each(SAID)('%s', (text, id, named, remedy) => {
  test.each(['start_failed', 'install_failed', 'worker_exited'] as const)(`of %s is ${id}`, async (code) => {
    const output = ['starting', ...text.split('\n'), 'bye'];
    for (const details of [{ output }, { output: [], traceback: `Traceback:\n${text}` }]) {
      const error = new RunnerError(code, 'x left', {
        details: { ...details, exitCode: 1, exitSignal: null },
      });
      const { findings, remedy: first } = await explain(error);
      expect(findings.map((one) => one.id)).toEqual([id]);
      expect(findings[0]?.what).toContain(named);
      expect(first).toContain(remedy);
    }
  });
});

test.each([
  ['/opt/models/x.onnx', 'machine on which'],
  ['D:\\\\models\\\\x.onnx', 'machine on which'],
  ['models/x.onnx', 'not packed'],
])('a missing file %s is explained by its path', async (file, why) => {
  const output = [`FileNotFoundError: [Errno 2] No such file or directory: '${file}'`];
  const details = { output, exitCode: 1, exitSignal: null };
  const { findings } = await explain(new RunnerError('start_failed', 'x left', { details }));
  expect(findings[0]?.why).toContain(why);
});

test('a full disk is explained without a file where none is named', async () => {
  const output = ['OSError: [Errno 28] No space left on device'];
  const details = { output, exitCode: 1, exitSignal: null };
  const { findings } = await explain(new RunnerError('install_failed', 'x left', { details }));
  expect(findings).toMatchObject([{ id: 'disk.full', what: 'There is no space left' }]);
});

test.each([
  ['ENOSPC', 'disk.full'],
  ['EROFS', 'store.read-only'],
  ['EACCES', 'store.not-permitted'],
  ['EIO', 'disk.failing'],
  ['EMFILE', 'files.too-many-open'],
  ['ENOMEM', 'memory.ran-out'],
])('the answer %s of the system, two errors deep, is %s and names the file', async (code, id) => {
  const system = Object.assign(new Error(`${code}: refused, open '/s/registry.json'`), {
    code,
    path: '/s/registry.json',
  });
  const cause = new Error('in between', { cause: system });
  const { findings } = await explain(new RunnerError('store_failed', 'Could not write', { cause }));
  expect(findings).toMatchObject([{ id, path: '/s/registry.json' }]);
});

test.each([
  ['SIGSEGV', 'crash.native'],
  ['SIGILL', 'crash.instruction'],
  ['SIGBUS', 'crash.shared-memory'],
  ['SIGKILL', 'killed.outside'],
  [null, 'algorithm.exits'],
])('a worker that ended by %s is %s', async (exitSignal, id) => {
  const exitCode = exitSignal === null ? 3 : null;
  const error = new RunnerError('worker_exited', 'it ended', {
    details: { exitCode, exitSignal, output: [] },
  });
  expect((await explain(error)).findings.map((one) => one.id)).toEqual([id]);
});

test.each([
  [0xc0000005, 'crash.native', '0xC0000005, access violation'],
  [0xc0000409, 'crash.native', '0xC0000409, fail fast'],
  [0xc000001d, 'crash.instruction', '0xC000001D, illegal instruction'],
  [0xc0000135, 'library.missing', '0xC0000135, a missing DLL'],
  [0xc000012d, 'memory.ran-out', '0xC000012D, out of memory'],
  [0xc000013a, 'killed.outside', '0xC000013A, Ctrl+C'],
])('a worker of Windows that ended with exit code %d is %s', async (exitCode, id, words) => {
  const error = new RunnerError('worker_exited', 'it ended', {
    details: { exitCode, exitSignal: null, output: [] },
  });
  const { findings } = await explain(error);
  expect(findings.map((one) => one.id)).toEqual([id]);
  expect(findings[0]?.what).toContain(words);
});

test('a worker that the kernel ended for want of memory is told so, and not as killed by somebody', async () => {
  const details = { exitCode: null, exitSignal: 'SIGKILL', output: [], isOutOfMemory: true };
  const { findings } = await explain(new RunnerError('worker_exited', 'it ended', { details }));
  expect(findings.map((one) => one.id)).toEqual(['memory.ran-out']);
});

test('the process that holds a lock is named, with the version that it is about', async () => {
  const holder = {
    host: 'line-3',
    pid: 77,
    operation: 'install x 1.0.0',
    acquiredAt: '2026-01-01T00:00:00Z',
  };
  const details = { path: '/s/.lock', timeoutMs: 5, holder, name: 'x', version: '1.0.0' };
  const { findings } = await explain(new RunnerError('lock_timeout', 'Could not', { details }));
  expect(findings).toMatchObject([{ id: 'holder.named', name: 'x', version: '1.0.0' }]);
  expect(findings[0]?.remedy).toContain('kill 77 on line-3');
});
