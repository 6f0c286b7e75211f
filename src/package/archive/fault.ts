import { RunnerError } from '../../errors.js';

/** What to do about an archive that somebody or some tool made as it is. */
const PACK_AGAIN = 'Ask its maker to pack it again with the packaging tool (procvision-cli package)';

/** Remedy for an archive that was most likely damaged on the way. */
export const COPY_AGAIN =
  'Copy the package again from its source; if it stays so, ask its maker to pack it again';

/** What to do about a name that some system or some reader does not take as it is. */
export const RENAME = 'Rename it, and pack the package again';

/** What to do about what is no file. */
export const TAKE_OUT = 'Take it out, and pack the package again';

/** What to do about a link. */
export const INSTEAD_OF_LINK =
  'Put the file that it leads to in its place (zip without -y), and pack the package again';

/** What to do about a file that is read whole and too long for that. */
export const SMALLER = 'Make that file smaller, and pack the package again';

/** What is wrong with an entry, with what to do about it where that is more than to pack it again. */
export type Fault = string | { fault: string; remedy: string };

/** What to do about a wheel that is none inside. */
export const BUILD_AGAIN = 'Build the wheel again, or take it out, and pack the package again';

/** What to do about a wheel that is not as it was published. */
const GET_AGAIN =
  'Get that wheel again from where it is published, or build it again, and pack the package again';

/** What to do about a wheel, where something else is to be done about a package. */
const FOR_WHEELS: ReadonlyMap<string, string> = new Map([
  [PACK_AGAIN, GET_AGAIN],
  [COPY_AGAIN, GET_AGAIN],
  [RENAME, 'Build the wheel again with another name for it, and pack the package again'],
  [INSTEAD_OF_LINK, 'Build the wheel again with the file itself in its place, and pack the package again'],
  [SMALLER, 'Build the wheel again with a smaller one, and pack the package again'],
  [TAKE_OUT, 'Build the wheel again without it, and pack the package again'],
]);

/** Parts of each fault, so that a fault of an archive inside another can be reported in terms of the outer archive. */
const found = new WeakMap<RunnerError, { fault: string; entry?: string; remedy: string }>();

/**
 * An `invalid_zip` error that names the archive, the entry (where there is one), the fault and the remedy. Names come
 * from the archive, so they are quoted as JSON: control characters cannot reach a terminal or forge a log line.
 *
 * @param what - what follows the name in a sentence ("is empty"), or a sentence of its own ("its directory ends…")
 */
export function zipFault(
  archive: string,
  what: Fault,
  entry?: string,
  o: { remedy?: string; cause?: unknown } = {},
): RunnerError {
  const { cause } = o;
  const { fault, remedy = o.remedy ?? PACK_AGAIN } =
    typeof what === 'string' ? { fault: what, remedy: o.remedy } : what;
  const where = entry === undefined ? archive : `${archive}: entry ${quote(entry)}`;
  const error = new RunnerError('invalid_zip', `${where}${linked(fault)}. ${remedy}`, {
    cause,
    details: { path: archive, ...(entry === undefined ? {} : { entry: clip(entry) }) },
  });
  found.set(error, { fault, entry, remedy });
  return error;
}

function linked(fault: string): string {
  return `${/^(?:its|two|record) /.test(fault) ? ':' : ''} ${fault}`;
}

/**
 * A fault of a wheel in a package, as a fault of the wheel: the remedy is another wheel, not another copy of the package.
 *
 * @param wheel - its entry in the package
 * @param error - of the wheel as an archive of its own
 * @param start - its first bytes, where they may tell that something else came in its place
 */
export function wheelFault(archive: string, wheel: string, error: RunnerError, start?: Buffer): RunnerError {
  const { fault, entry, remedy } = found.get(error) ?? { fault: error.message, remedy: GET_AGAIN };
  const instead = start && insteadOfWheel(start);
  const inner = entry === undefined ? '' : `: its entry ${quote(entry)}`;
  const text =
    instead === undefined ? `${inner}${linked(fault)}. ${FOR_WHEELS.get(remedy) ?? remedy}` : ` ${instead}`;
  return new RunnerError('invalid_zip', `${archive}: the wheel ${quote(wheel)}${text}`, {
    cause: error.cause,
    details: { path: archive, entry: clip(wheel) },
  });
}

/** What is met in place of wheels, with what to do about it. */
function insteadOfWheel(start: Buffer): string | undefined {
  if (start.length === 0) return `is empty. ${GET_AGAIN}`;
  const text = start.toString('latin1').trimStart();
  if (text.startsWith('version https://git-lfs')) {
    return 'is a pointer of Git LFS, not the wheel itself. Run "git lfs pull" where the package is made, and pack it again';
  }
  if (/^<(?:!doctype|html|head|\?xml)/i.test(text)) {
    return 'is a web page, with which its download was answered. Download the wheel again, logged in where that is asked for, and pack the package again';
  }
  return undefined;
}

/** The fault of an archive of which two readings gave two things. */
export function changed(archive: string, entry?: string): RunnerError {
  return zipFault(archive, 'was changed while it was read: two readings of it gave different bytes', entry, {
    remedy: 'Copy it to a disk that nobody else writes to, then try again',
  });
}

/** A name as it can be shown: escaped, and cut where it is longer than a line. */
export function quote(name: string): string {
  return JSON.stringify(clip(name)).replace(
    // JSON leaves C1 controls, line separators and marks of writing direction as they are.
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function clip(name: string): string {
  return name.length > 200 ? `${name.slice(0, 200)}…` : name;
}
