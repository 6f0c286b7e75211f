import { expect, test } from 'vitest';
import { asRunnerError, isNews, isPackageFault } from '../../src/deploy/failure.js';
import type { OperationRef } from '../../src/deploy/types.js';
import { ERROR_NUMBERS, RunnerError, type RunnerErrorCode } from '../../src/errors.js';

const system = (code: string) => Object.assign(new Error(`${code}: refused`), { code, path: '/x' });
const ref = (o: Partial<OperationRef>): OperationRef => ({
  ...{ id: '1', operation: 'install', name: 'pcb', version: '1' },
  ...o,
});

/** Details are typed by code; what is asked here looks at few of them. */
const failure = (code: RunnerErrorCode, o: { cause?: Error; details?: { stage: string } } = {}) =>
  new RunnerError(code as 'internal', code, o);

const OF_THE_PACKAGE: readonly RunnerErrorCode[] = [
  'invalid_zip',
  'manifest_missing',
  'manifest_invalid',
  'incompatible_python',
  'wheels_missing',
  'install_failed',
  'invalid_pid',
  'contract_violation',
  'execute_exception',
  'unsupported_phase',
];

test.each(Object.keys(ERROR_NUMBERS) as RunnerErrorCode[])(
  '%s is the fault of the package or not',
  (code) => {
    expect(isPackageFault(failure(code))).toBe(OF_THE_PACKAGE.includes(code));
  },
);

test('a code of the package is not its fault where the system refused, or while it was received', () => {
  const cause = system('EIO');
  expect(isPackageFault(failure('invalid_zip', { cause }))).toBe(false);
  expect(isPackageFault(failure('invalid_zip', { details: { stage: 'receive' } }))).toBe(false);
  expect(isPackageFault(failure('invalid_zip', { details: { stage: 'unpack' } }))).toBe(true);
});

test('a RunnerError keeps its code, and is the same', () => {
  const error = failure('lock_timeout');
  expect(asRunnerError(error, ref({}), 'unpack')).toBe(error);
  const withCause = failure('lock_timeout', { cause: system('EIO') });
  expect(asRunnerError(withCause, ref({}), 'unpack')).toBe(withCause);
});

test.each([
  ['install', 'EACCES', 'store_failed'],
  ['install', 'ENOSPC', 'store_failed'],
  ['install', 'EROFS', 'store_failed'],
  ['install', 'EIO', 'store_failed'],
  ['install', 'ENOENT', 'store_failed'],
  ['install', 'ENAMETOOLONG', 'install_failed'],
  ['restore', 'EACCES', 'store_failed'],
  ['restore', 'ENAMETOOLONG', 'install_failed'],
  ['uninstall', 'EACCES', 'store_failed'],
  ['uninstall', 'ENAMETOOLONG', 'store_failed'],
  ['prune', 'EACCES', 'store_failed'],
] as const)('what the system refuses during %s by %s is %s, with stage and path', (operation, said, code) => {
  const cause = system(said);
  const error = asRunnerError(cause, ref({ operation }), 'unpack');
  expect(error).toMatchObject({
    code,
    cause,
    details: { name: 'pcb', version: '1', stage: 'unpack', path: '/x' },
  });
  expect(error.message).toContain(`The ${operation} of pcb 1 failed at unpack: ${said}: refused`);
});

test.each([
  [{ name: undefined }, 'The install of the package failed'],
  [{ version: undefined }, 'The install of pcb failed'],
])('an operation without %j names what it knows', (known, message) => {
  expect(asRunnerError(system('EIO'), ref(known), 'unpack').message).toContain(`${message} at`);
});

test.each([
  ['install', 'free some space, for example with prune()'],
  ['restore', 'free some space, for example with prune()'],
  ['uninstall', 'free a little space outside the store first'],
  ['prune', 'free a little space outside the store first'],
] as const)('a full disk during %s names its remedy', (operation, remedy) => {
  expect(asRunnerError(system('ENOSPC'), ref({ operation }), 'unpack').message).toContain(remedy);
});

test.each([['a text'], [new TypeError('x is not a function')]])('%s is a bug of this library', (thrown) => {
  const error = asRunnerError(thrown, ref({}), 'unpack');
  expect(error.code).toBe('internal');
  expect(error.message).toContain('install pcb 1 at unpack');
});

test.each([
  [new Error('x'), true],
  [failure('lock_timeout'), false],
  [failure('already_installed'), false],
  [failure('invalid_zip'), false],
  [failure('install_failed', { cause: system('ENOSPC') }), true],
  [failure('store_failed'), true],
])('of a watched folder %s is reported: %s', (error, isReported) => {
  expect(isNews(error)).toBe(isReported);
});
