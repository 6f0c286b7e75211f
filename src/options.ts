import { RunnerError } from './errors.js';

/**
 * Refuses options without something that must be given: JavaScript has no types to tell, and what fails for the lack of
 * it later does not say so.
 *
 * @throws RunnerError `invalid_params` naming the option
 */
export function checkGiven(what: string, options: unknown, names: readonly string[]): void {
  const given = (typeof options === 'object' ? options : undefined) ?? {};
  for (const name of names) {
    const value = (given as Record<string, unknown>)[name];
    if (typeof value === 'object' && value !== null) continue;
    throw new RunnerError(
      'invalid_params',
      `${what} needs the option ${name}, and was given ${value === undefined ? 'none' : `a ${typeof value}`}: ${what}({ ${names.join(', ')} })`,
      { details: { path: name } },
    );
  }
}
