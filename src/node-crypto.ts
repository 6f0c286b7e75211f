import type * as Crypto from 'node:crypto';
import { createRequire } from 'node:module';

/**
 * `node:crypto`, loaded at its first use, for what cannot wait for an `import()`. Node takes milliseconds to load it, and most
 * hosts that import the library never come here.
 */
export function nodeCrypto(): typeof Crypto {
  return createRequire(import.meta.url)('node:crypto') as typeof Crypto;
}
