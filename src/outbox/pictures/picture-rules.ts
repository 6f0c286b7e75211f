import type { VerdictRecord } from '../records.js';
import type { Inspected, InspectionFacts, PictureRules } from '../types.js';

/** Which pictures are kept: by the verdict, by a share of the OK ones, and by a rule of the host. */
export class PictureChoice {
  readonly #rules: PictureRules;
  /** OK verdicts with a picture so far, and how many of these pictures were kept. */
  #seen = 0;
  #kept = 0;

  constructor(rules: PictureRules) {
    this.#rules = rules;
  }

  /** Whether any picture can be kept. */
  get canKeep(): boolean {
    return this.#rules.keep !== 'none' || this.#rules.choose !== undefined;
  }

  /** Whether the picture of this inspection is kept. */
  keeps(verdict: VerdictRecord['result_status'], inspected: Inspected, facts: InspectionFacts): boolean {
    const { keep = 'ng', okShare = 0, choose } = this.#rules;
    const chosen = choose?.(inspected, facts);
    if (chosen !== undefined) return chosen;
    if (keep !== 'ng') return keep === 'all';
    return verdict !== 'OK' || this.#isInShare(okShare);
  }

  /** Evenly spread, not by chance: of ten pictures at a share of 0.1 one is kept. */
  #isInShare(share: number): boolean {
    this.#seen++;
    if (Math.floor(this.#seen * share) <= this.#kept) return false;
    this.#kept++;
    return true;
  }
}
