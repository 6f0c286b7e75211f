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
