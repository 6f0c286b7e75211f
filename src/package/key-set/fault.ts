import { RunnerError } from '../../errors.js';

/**
 * A key set that cannot be used. It is the station's fault and no package's: a package is not remembered as bad for it.
 *
 * @param remedy - who must do what
 */
export function keySetFault(file: string, fault: string, remedy: string, cause?: unknown): RunnerError {
  return new RunnerError(
    'untrusted_keys',
    `The key set ${file} ${fault}. ${remedy}. What runs goes on running`,
    {
      cause,
      details: { path: file, stage: 'integrity' },
    },
  );
}

/** What is done about a set that is not what its holders signed. */
export const FETCH_AGAIN = 'Copy it again from the holder of its root keys';
