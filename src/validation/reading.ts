/** What reads a package, loaded when a validator is first given one. */
export { openArchive } from '../package/archive/open-archive.js';
export { neededSpace } from '../package/needed-space.js';
export { checkSpace } from '../store/space.js';
export { folderSource } from './package-source.js';
export { inspectSource } from './inspect.js';
export { archiveSource } from './package-source.js';
