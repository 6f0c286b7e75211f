import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ERROR_NUMBERS, RunnerError } from '../../src/errors.js';

test('each package-management code carries the number of the specification', () => {
  const numbers = [
    'invalid_zip',
    'manifest_missing',
    'manifest_invalid',
    'incompatible_python',
    'wheels_missing',
    'install_failed',
    'activation_conflict',
    'unsafe_uninstall',
  ] as const;
  expect(numbers.map((code) => new RunnerError(code, 'x').errorCode)).toEqual([
    '2001',
    '2002',
    '2002',
    '2003',
    '2004',
    '2005',
    '2006',
    '2007',
  ]);
});

test('an error keeps its cause, its details and the number a worker sent', () => {
  const cause = new Error('disk');
  const error = new RunnerError('execute_exception', 'x', {
    cause,
    details: { productIds: ['A'], stage: 'execute', raw: {} },
    errorCode: '9999',
  });
  expect(error).toMatchObject({ cause, details: { pids: ['A'] }, errorCode: '9999', retryable: false });
});

test('what passes by itself is retryable, what does not is not', () => {
  expect(new RunnerError('queue_full', 'x').retryable).toBe(true);
  expect(new RunnerError('install_failed', 'x').retryable).toBe(false);
  expect(new RunnerError('install_failed', 'x', { retryable: true }).retryable).toBe(true);
});

test('an abort is named AbortError, everything else RunnerError', () => {
  expect(new RunnerError('aborted', 'x').name).toBe('AbortError');
  expect(new RunnerError('closed', 'x').name).toBe('RunnerError');
});

test('is() knows an error of another copy of the library by its brand', () => {
  const other: unknown = Object.defineProperty(
    Object.assign(new Error('x'), { code: 'timeout' }),
    Symbol.for('procvision-runner.RunnerError'),
    { value: true },
  );
  expect(RunnerError.is(other)).toBe(true);
  expect(RunnerError.is(other, 'timeout')).toBe(true);
  expect(RunnerError.is(other, 'closed')).toBe(false);
});

test('instanceof knows an error of another copy of the library, and a derived class by its own prototype', () => {
  class Copy extends Error {
    readonly code = 'timeout';
  }
  const other: unknown = Object.defineProperty(new Copy('x'), Symbol.for('procvision-runner.RunnerError'), {
    value: true,
  });
  class Derived extends RunnerError<'closed'> {}
  expect(other instanceof RunnerError).toBe(true);
  expect(new Copy('x') instanceof RunnerError).toBe(false);
  expect(other instanceof Derived).toBe(false);
  const derived = new Derived('closed', 'x');
  expect([derived instanceof Derived, derived instanceof RunnerError, derived instanceof Error]).toEqual([
    true,
    true,
    true,
  ]);
  expect(new RunnerError('closed', 'x') instanceof Derived).toBe(false);
});

test.each([undefined, null, 'timeout', 7, {}, new Error('x'), { code: 'timeout' }])(
  'is() refuses %s',
  (value) => {
    expect(RunnerError.is(value)).toBe(false);
  },
);

test('toJSON leaves out the stack and keeps what an operator needs', () => {
  const error = new RunnerError('lock_timeout', 'held', { details: { path: 'x', timeoutMs: 5 } });
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    name: 'RunnerError',
    code: 'lock_timeout',
    message: 'held',
    retryable: true,
    details: { path: 'x', timeoutMs: 5 },
  });
});

test('the README names every code with its number', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const rows = [...readme.matchAll(/^\| `(\w+)` \| (\d*) \|/gm)].map(([, code, number]) => [code, number]);
  expect(rows).toEqual(Object.entries(ERROR_NUMBERS).map(([code, number]) => [code, number ?? '']));
});
