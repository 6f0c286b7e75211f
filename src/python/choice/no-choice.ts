import type { Wheel } from '../../package/types.js';

/**
 * Why there is no choice: `missing`, a requirement that no wheel meets; `python`, wheels for another interpreter;
 * `conflict`, versions that do not go together; `hash`; `outside`, what lies elsewhere; `wheel`, a wheel that cannot be
 * read; `too much` to search.
 */
export type NoChoiceKind = 'missing' | 'python' | 'conflict' | 'hash' | 'outside' | 'wheel' | 'too much';

/** What goes with it. */
export interface NoChoiceFacts {
  /** As written. */
  requirements?: readonly string[];
  wheels?: readonly Wheel[];
  /** Pythons that wheels ask for in their METADATA. */
  requiresPython?: readonly string[];
  /** The project that no wheel of is there, or of no version that is asked for. */
  project?: string;
  /** pip's words for it, line by line. */
  words?: readonly string[];
}

/** Wheels of a folder cannot be chosen for requirements. */
export class NoChoice extends Error {
  readonly kind: NoChoiceKind;
  readonly facts: NoChoiceFacts;

  constructor(kind: NoChoiceKind, message: string, facts: NoChoiceFacts = {}) {
    super(message);
    this.kind = kind;
    this.facts = facts;
  }
}
