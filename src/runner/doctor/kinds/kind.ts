/** How bad a finding is. `error`: something does not work. `warning`: it may fail, or is not safe. `note`: it could be better. */
export type Severity = 'error' | 'warning' | 'note';

/** What is known of every finding with one id; the words of the finding itself name the thing. */
export interface FindingKind {
  /** How bad it is, mostly. */
  severity: Severity;
  /** What it says. */
  title: string;
  /** What to do, in one line. */
  remedy: string;
  /** What the fix does, where there is one. */
  fix?: string;
}

/** The remedy for a version that is not as it was installed. */
export const REINSTALL = 'Install the package again: procvision-runner install ZIP --force';

/** A row of the catalogue. A remedy that lets somebody do more than before says so in its words. */
export function kind(severity: Severity, title: string, remedy: string, fix?: string): FindingKind {
  return { severity, title, remedy, ...(fix !== undefined && { fix }) };
}
