// The same for bundlers, which do not see a `require` of `createRequire` (condition `module` in package.json). In a file of
// this package, so that one may drop it with what it imports.
export { EventEmitter } from 'eventemitter3';
