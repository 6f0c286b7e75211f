import { RunnerError } from './errors.js';

/**
 * Names in keys and subjects. NATS takes letters, digits, `-`, `_`, `=` and `/` in a token of a key, and a dot separates tokens; versions
 * have dots, ids have blanks and Chinese. Each byte of UTF-8 that is no letter, digit, `-` or `_` becomes `=` and two upper-case hex
 * digits, so that two names never meet in one token and each token is read back.
 */
export function tokenOf(name: string): string {
  if (name === '')
    throw new RunnerError('invalid_params', 'A name in a key or a subject of NATS must not be empty', {
      details: { path: 'name' },
    });
  if (Buffer.from(name).toString() !== name) {
    throw new RunnerError(
      'invalid_params',
      `The name ${JSON.stringify(name)} is no Unicode text: it has half of a surrogate pair`,
      {
        details: { path: 'name' },
      },
    );
  }
  return [...Buffer.from(name)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9_-]/.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

/** The name of a token; `undefined` for a token that {@link tokenOf} does not make. */
export function nameOf(token: string): string | undefined {
  if (!/^(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+$/.test(token)) return undefined;
  const bytes = token
    .match(/=..|[^=]/g)
    ?.map((part) => (part.length === 3 ? parseInt(part.slice(1), 16) : part.charCodeAt(0)));
  const name = Buffer.from(bytes ?? []).toString();
  return tokenOf(name) === token ? name : undefined;
}
