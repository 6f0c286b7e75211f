import type { ArgumentSpec } from './spec.js';

/** Words that several commands take. */
export const NAME: ArgumentSpec = { usage: '<name>', summary: 'name of a deployed package', kind: 'name' };
export const VERSION: ArgumentSpec = { usage: '<version>', summary: 'one of its versions', kind: 'version' };
export const IDS: ArgumentSpec = { usage: '[ids...]', summary: 'product ids', kind: 'id' };
