import type { OperationOptions } from '../../abort.js';
import { FINDINGS, type FindingId } from './catalogue.js';
import type { FindingKind, Severity } from './kinds/kind.js';

/** How a finding can be put right without a person. It never lets anybody do more than before. */
export interface FindingFix {
  /** What it does. */
  what: string;
  /**
   * Does it. Whether it helped, the next look tells.
   * @throws RunnerError as the operation that it runs
   */
  apply: (o?: OperationOptions) => Promise<void>;
}

/** Something that is not as it should be, or could be better. As JSON the fix is its words alone. */
export interface Finding {
  /** Kind of the finding; docs/doctor.md has them all. */
  id: FindingId;
  /** `error`: something does not work. `warning`: it may fail, or is not safe. `note`: it could be better. */
  severity: Severity;
  /** What was found, with the name of the thing. */
  what: string;
  /** Why: the cause, or what comes of it. */
  why: string;
  /** What to do, in one line. Where it lets somebody do more than before, it says so. */
  remedy: string;
  /** Where it can be put right at once, without risk. */
  fix?: FindingFix;
  /** File or folder that it is about, absolute. */
  path?: string;
  /** Package that it is about. */
  name?: string;
  /** Version that it is about. */
  version?: string;
}

/** What a check says of a finding; the catalogue has the rest. */
export type FindingWords = Omit<Finding, 'id' | 'severity' | 'remedy' | 'fix'> & {
  /** @defaultValue that of the catalogue */
  remedy?: string;
  fix?: FindingFix['apply'];
};

/** A finding of a kind. Line breaks of a message from elsewhere become spaces. */
export function finding(id: FindingId, { fix, ...words }: FindingWords): Finding {
  const kind: FindingKind = FINDINGS[id];
  const { remedy = kind.remedy, what, why, ...about } = words;
  return {
    ...{ id, severity: kind.severity, what: inOneLine(what), why: inOneLine(why), remedy: inOneLine(remedy) },
    ...(fix && { fix: { what: kind.fix ?? remedy, apply: fix } }),
    ...about,
  };
}

function inOneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').trim();
}
