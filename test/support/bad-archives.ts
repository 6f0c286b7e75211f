import type { BadArchive } from './bad-archives/base.js';
import { LIMITS } from './bad-archives/contents.js';
import { KINDS, LOCAL } from './bad-archives/entries.js';
import { NAMES } from './bad-archives/names.js';
import { WHOLE } from './bad-archives/structure.js';

export type { BadArchive } from './bad-archives/base.js';
export { BAD_CONTENTS, LIMITS } from './bad-archives/contents.js';

/** Refused at opening. */
export const BAD_ARCHIVES: BadArchive[] = [...WHOLE, ...NAMES, ...KINDS, ...LOCAL, ...LIMITS];
