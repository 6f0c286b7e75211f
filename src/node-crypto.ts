import type * as Crypto from 'node:crypto';
import { nodeModule } from './node-modules.js';

/**
 * `node:crypto`, loaded at its first use, for what cannot wait for an `import()`. Node takes milliseconds to load it, and most
 * hosts that import the library never come here.
 */
export function nodeCrypto(): typeof Crypto {
  return nodeModule('node:crypto') as typeof Crypto;
}
