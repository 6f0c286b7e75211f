import { nameOf, tokenOf } from '../subject-tokens.js';

export { nameOf, tokenOf };

/** A key of the bucket, or a subject, of names: `keyOf('bar', 'board-check', '1.2.0')` is `bar.board-check.1=2E2=2E0`. */
export function keyOf(kind: string, ...names: string[]): string {
  return [kind, ...names.map(tokenOf)].join('.');
}

/** The names in a key; `undefined` for a key of another kind or a key that {@link keyOf} does not make. */
export function namesIn(key: string, kind: string): string[] | undefined {
  const [first, ...tokens] = key.split('.');
  const names = tokens.map(nameOf);
  return first === kind && names.every((name) => name !== undefined) ? names : undefined;
}

/**
 * The subject of all events of a station. It is one for all kinds of them: a station may read the last message of a subject, and no
 * filter of several (a consumer on what it writes itself could be told to deliver that to another one's subject).
 */
export function eventSubject(station: string): string {
  return keyOf('events', station);
}

/** What the events of controllers are published under, beside the names of stations. */
export const CONTROLLER = '@controller';

/** Which stations cannot be reached, as the active controller sees it: for people, not signed, and nothing is decided by it. */
export const OFFLINE_KEY = 'offline.controller';
