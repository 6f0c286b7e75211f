import { RunnerError } from './errors.js';

/**
 * Refuses arguments that are no text. A caller at a REPL or in plain JavaScript has no type checks; `not_found` for a
 * version "undefined" would send them looking in the wrong place.
 *
 * @param call - as it is to be made: `registry.get(name, version)`
 * @throws RunnerError `invalid_params` naming call and argument
 */
export function checkStrings(call: string, strings: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(strings)) {
    if (typeof value !== 'string') throw refused(call, name, `must be a string, not ${kindOf(value)}`);
  }
}

/** A copy of an object, of which the caller may change the fields; what is no object is given back as it is. */
export function asGiven<T>(value: T): T {
  return isRecord(value) ? { ...value } : value;
}

/** The same for what comes as one object, in which the fields of `strings` must be strings. */
export function checkObject(
  call: string,
  value: unknown,
  strings: readonly string[] = [],
  name?: string,
): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused(call, name, `must be an object, not ${kindOf(value)}`);
  }
  const given = value as Record<string, unknown>;
  checkStrings(call, Object.fromEntries(strings.map((name) => [name, given[name]])));
}

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

/** Whether a value from outside is an object with named fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without a name it is the one argument there is. */
function refused(call: string, name: string | undefined, fault: string): RunnerError {
  const message = `${call}: ${name ?? 'its argument'} ${fault}`;
  return new RunnerError('invalid_params', message, { details: { path: name ?? '' } });
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return typeof value === 'object' ? (Array.isArray(value) ? 'a list' : 'an object') : `a ${typeof value}`;
}
