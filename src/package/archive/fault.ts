import { RunnerError } from '../../errors.js';

/**
 * An `invalid_zip` error that names the archive, the entry (where there is one) and the fault. Names come from the
 * archive, so they are quoted as JSON: control characters cannot reach a terminal or forge a log line.
 */
export function zipFault(archive: string, fault: string, entry?: string, cause?: unknown): RunnerError {
  const where = entry === undefined ? archive : `${archive}, entry ${quote(entry)}`;
  return new RunnerError('invalid_zip', `${where}: ${fault}`, {
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
