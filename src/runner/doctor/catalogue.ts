import { ERROR_KINDS } from './kinds/error-kinds.js';
import type { FindingKind } from './kinds/kind.js';
import { MACHINE_KINDS } from './kinds/machine-kinds.js';
import { STORE_KINDS } from './kinds/store-kinds.js';
import { VERSION_KINDS } from './kinds/version-kinds.js';

/** Every finding, in the order in which docs/doctor.md has them. */
export const FINDINGS = {
  ...MACHINE_KINDS,
  ...STORE_KINDS,
  ...VERSION_KINDS,
  ...ERROR_KINDS,
} satisfies Readonly<Record<string, FindingKind>>;

/** Identifies the kind of a finding. docs/doctor.md has them all. */
export type FindingId = keyof typeof FINDINGS;
