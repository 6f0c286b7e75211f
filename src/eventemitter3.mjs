// The class of eventemitter3 by `require`: as the first `import` of CommonJS in a process it would make Node compile its scanner of
// CommonJS exports, which takes 16 ms. It is the class that an `import` elsewhere gets. See tsup.config.ts.
import { createRequire } from 'node:module';

export const { EventEmitter } = createRequire(import.meta.url)('eventemitter3');
