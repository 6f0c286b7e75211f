export { openArchive } from './archive/open-archive.js';
export type { OpenArchiveOptions } from './archive/load-archive.js';
export { DEFAULT_ARCHIVE_LIMITS } from './archive/limits.js';
export type { FileRange } from './archive-types.js';
