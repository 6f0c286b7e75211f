import { expect, test } from 'vitest';
import { exitFailures } from '../../src/worker/worker-failures.js';

test.each([
  [null, 'SIGSEGV', 'The worker was killed by SIGSEGV'],
  [3, null, 'The worker left by itself with exit code 3'],
] as const)('an exit with code %s and signal %s: %s', (code, signal, message) => {
  const { byItself, beforeReady } = exitFailures('The worker', code, signal, ['Fatal error']);
  expect(byItself.message).toBe(`${message}; it last said: Fatal error`);
  expect(beforeReady.message).toBe(`${message}, before it was ready; it last said: Fatal error`);
});

test.each([
  [
    3221225477,
    'ended with exit code 3221225477 (0xC0000005, access violation): a native library used memory',
  ],
  [3221225725, 'ended with exit code 3221225725 (0xC00000FD, stack overflow): '],
  [
    3221225781,
    'ended with exit code 3221225781 (0xC0000135, a missing DLL): install the Visual C++ Redistributable',
  ],
  [3221226505, 'ended with exit code 3221226505 (0xC0000409, fail fast): '],
  [-1073741502, 'ended with exit code -1073741502 (0xC0000142, a DLL that could not start): '],
])('exit code %d of Windows is named, with what leads there', (code, message) => {
  const { byItself, ended } = exitFailures('The worker', code, null, []);
  expect(byItself.message).toContain(`The worker ${message}`);
  expect(ended.message).toMatch(/0xC0000[0-9A-F]{3}, /);
  expect(byItself.details.exitCode).toBe(code);
});
