/** A mutant that behaves as the source does, and why. */
export interface Equivalent {
  file: string;
  /** A part of its line. */
  source: string;
  from: string;
  to: string;
  reason: string;
}

const of =
  (file: string) =>
  (source: string, from: string, to: string, reason: string): Equivalent => ({
    ...{ file, source, from, to, reason },
  });

const codec = of('src/worker/frame-codec.ts');
const circuit = of('src/supervisor/pool/restart-policy.ts');
const wheelName = of('src/package/wheel-name.ts');
const NEVER_UNDEFINED = 'The index is inside the list: the default is there for the type checker.';
const TESTED_AGAIN =
  'The key is tested on fewer bytes. Where it does not match yet, the bytes wait all the same, and are tested again.';
const SET_BEFORE_READ = 'Set before it is first read.';

export const EQUIVALENT: readonly Equivalent[] = [
  codec('#length = 0', '0', '1', SET_BEFORE_READ),
  codec('#isSkipping = false', 'false', 'true', SET_BEFORE_READ),
  codec(
    'this.#missing = zero === -1',
    'zero === -1',
    'true',
    'The zero byte is looked at again and again until nothing is missing: slower, with the same items.',
  ),
  codec(
    'stray = head = 0',
    'stray = head = 0;',
    '(removed)',
    'The brace is found once more, in the joined bytes, and refused then. `stray` is 0 already where a frame goes on.',
  ),
  codec('if (head !== -1) handOut(head)', 'head !== -1', 'true', 'Handing out to -1 hands nothing out.'),
  codec('if (head !== -1) handOut(head)', '1', '2', 'Handing out to -1 hands nothing out.'),
  codec('(bytes[head] ?? 0)', '0', '1', NEVER_UNDEFINED),
  codec('bytes.length - at < LOOKED_AT', 'bytes.length - at < LOOKED_AT', 'false', TESTED_AGAIN),
  codec('bytes.length - at < LOOKED_AT', 'bytes.length - at', 'bytes.length + (at)', TESTED_AGAIN),
  codec(
    'at < near',
    'at < near',
    'at <= (near)',
    'A brace just past the near part is found by the search in C as well.',
  ),
  codec('near === bytes.length', 'near === bytes.length', 'false', 'A search from the end finds nothing.'),
  codec(
    'from < bytes.length',
    'from < bytes.length',
    'from <= (bytes.length)',
    'Past the end there is no byte over 7.',
  ),
  codec('(bytes[from] ?? 0)', '0', '1', NEVER_UNDEFINED),
  wheelName(
    "const { name = '', version = '', build",
    "''",
    '"mutant"',
    'A name that matches has all of these parts: the default is there for the type checker.',
  ),
  circuit('#openedAt = 0', '0', '1', SET_BEFORE_READ),
];
