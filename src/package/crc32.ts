import type * as Zlib from 'node:zlib';
import { nodeModule } from '../node-modules.js';

type Crc32 = (data: Uint8Array, value?: number) => number;

/** Reflected polynomial of CRC-32/ISO-HDLC, the checksum of zip, gzip and PNG. */
const POLYNOMIAL = 0xedb88320;

/**
 * `zlib.crc32` exists from Node 20.15 and 22.2 on; the engines field admits older ones. The module takes milliseconds to load,
 * and most hosts that import the library never come here.
 */
let native: Crc32 | undefined;
let isLookedUp = false;

function nativeCrc32(): Crc32 | undefined {
  if (!isLookedUp) native = (nodeModule('node:zlib') as typeof Zlib & { crc32?: Crc32 }).crc32;
  isLookedUp = true;
  return native;
}

/**
 * CRC-32 of `data`, continuing from `value`, the CRC of what came before.
 *
 * @param value - unsigned 32 bits. @defaultValue 0
 */
export function crc32(data: Uint8Array, value = 0): number {
  const ofZlib = nativeCrc32();
  return ofZlib ? ofZlib(data, value) : crc32ByTable(data, value);
}

let table: Uint32Array | undefined;

/** The same by a table of 256 words, where the platform has no CRC of its own. */
export function crc32ByTable(data: Uint8Array, value = 0): number {
  const words = (table ??= makeTable());
  let crc = ~value;
  for (const byte of data) crc = (crc >>> 8) ^ (words[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let word = index;
    for (let bit = 0; bit < 8; bit++) word = word & 1 ? (word >>> 1) ^ POLYNOMIAL : word >>> 1;
    return word >>> 0;
  });
}
