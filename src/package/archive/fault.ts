import { RunnerError } from '../../errors.js';

/** What to do about an archive that somebody or some tool made as it is. */
const PACK_AGAIN = 'Ask its maker to pack it again with the packaging tool (procvision-cli package)';

/** What to do about one that is most likely not what was sent. */
export const COPY_AGAIN =
  'Copy the package again from its source; if it stays so, ask its maker to pack it again';

/** What to do about a wheel that is none inside. */
export const BUILD_AGAIN = 'Build the wheel again, or take it out, and pack the package again';

/**
 * An `invalid_zip` error that names the archive, the entry (where there is one), the fault and the remedy. Names come
 * from the archive, so they are quoted as JSON: control characters cannot reach a terminal or forge a log line.
 *
 * @param fault - what follows the name in a sentence ("is empty"), or a sentence of its own ("its directory ends…")
 */
export function zipFault(
  archive: string,
  fault: string,
  entry?: string,
  { remedy = PACK_AGAIN, cause }: { remedy?: string; cause?: unknown } = {},
): RunnerError {
  const where = entry === undefined ? archive : `${archive}: entry ${quote(entry)}`;
  const link = /^(?:its|two|record) /.test(fault) ? ': ' : ' ';
  return new RunnerError('invalid_zip', `${where}${link}${fault}. ${remedy}`, {
    cause,
    details: { path: archive, ...(entry === undefined ? {} : { entry: clip(entry) }) },
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
