import { asFailure, type RunnerError, type RunnerErrorCode } from '../../errors.js';
import { cluesOf } from './clues.js';
import type { Finding } from './finding.js';
import { MEANINGS } from './meanings.js';

/** What an error means, and what to do. */
export interface Explanation {
  /** Code of the error; `internal` for what is no RunnerError. */
  code: RunnerErrorCode;
  /** What happened, whatever the message says. */
  meaning: string;
  /** The commonest causes, the commonest first. */
  causes: readonly string[];
  /** What to do, in one line: of the first finding where there is one, else that of the code. */
  remedy: string;
  /** Whether the same call may succeed if made again unchanged. */
  retryable: boolean;
  /** What the details of this very error tell: the library, file, module, process or limit at fault. Empty where they tell no more. */
  findings: Finding[];
}

/** See the main entry. */
export function explanationOf(error: unknown): Explanation {
  const failure: RunnerError = asFailure(error, 'do this');
  const { code, retryable } = failure;
  const { meaning, causes, remedy } = MEANINGS[code];
  const findings = cluesOf(failure);
  return { code, meaning, causes, remedy: findings[0]?.remedy ?? remedy, retryable, findings };
}
