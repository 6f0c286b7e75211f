import { RunnerError } from '../errors.js';

/** Options of those who look on that are numbers: least, most, and whether they are whole. */
const BOUNDS = {
  workers: [1, 1_024, true],
  maxPending: [1, 1_000_000, true],
  maxBytes: [1, Number.MAX_SAFE_INTEGER, true],
  minIou: [0, 1, false],
  share: [Number.MIN_VALUE, 1, false],
} as const;

/** Refuses a number that cannot be. @throws RunnerError `invalid_params` naming the option and its bounds */
export function checkNumbers(options: Partial<Record<keyof typeof BOUNDS, number>>): void {
  for (const [name, bounds] of Object.entries(BOUNDS)) {
    const value = options[name as keyof typeof BOUNDS];
    const [least, most, isWhole] = bounds;
    if (value === undefined) continue;
    if (value >= least && value <= most && (!isWhole || Number.isInteger(value))) continue;
    const range = name === 'share' ? 'above 0 and at most 1' : `from ${least} to ${most}`;
    throw new RunnerError(
      'invalid_params',
      `${name} must be a ${isWhole ? 'whole ' : ''}number ${range}, not ${String(value)}`,
      { details: { path: name } },
    );
  }
}
