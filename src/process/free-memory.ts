import os from 'node:os';

/** Bytes of memory that this process and what it starts can still have: of the machine, within the bound of a container. */
export function freeMemory(): number {
  return Math.min(os.freemem(), process.constrainedMemory() || Infinity); // 0: no bound is known
}
