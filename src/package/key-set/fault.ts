import { RunnerError } from '../../errors.js';

/** A key set that cannot be used. It is the station's fault and no package's: a package is not remembered as bad for it. */
export class KeySetFault extends RunnerError<'untrusted_keys'> {
  readonly #remedy: string;

  constructor(file: string, fault: string, remedy: string, cause?: unknown) {
    super('untrusted_keys', `The key set ${file} ${fault}. ${remedy}. What runs goes on running`, {
      cause,
      details: { path: file, stage: 'integrity' },
    });
    this.#remedy = remedy;
  }

  /** Who must do what. */
  get remedy(): string {
    return this.#remedy;
  }
}

/** `instanceof` is the brand of every RunnerError to the compiler. */
export function isKeySetFault(value: unknown): value is KeySetFault {
  return value instanceof KeySetFault;
}

/** What is done about a set that is not what its holders signed. */
export const FETCH_AGAIN = 'Copy it again from the holder of its root keys';
