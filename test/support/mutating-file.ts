import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import fc from 'fast-check';
import { IS_WINDOWS } from './platform.js';

/** What happens to a file between two reads of it. */
export interface Mutation {
  kind: 'bytes' | 'same-crc' | 'swap' | 'replace' | 'grow' | 'shrink';
  /** Reads of the file before it. */
  afterReads: number;
  /** Where, as a part of the file. */
  place: number;
  /** Sets the time of the last change back, as who means harm does. */
  hidesTime: boolean;
}

/** No other file can take the place of one that is open on Windows. */
const KINDS = (['bytes', 'same-crc', 'swap', 'replace', 'grow', 'shrink'] as const).filter(
  (kind) => kind !== 'swap' || !IS_WINDOWS,
);

export const mutations = (mostReads: number): fc.Arbitrary<Mutation> =>
  fc.record({
    kind: fc.constantFrom(...KINDS),
    afterReads: fc.integer({ min: 0, max: mostReads }),
    place: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    hidesTime: fc.boolean(),
  });

/** The generator of CRC-32 as bits of a message: what is changed by it has the CRC-32 that it had. */
const SAME_CRC = Buffer.alloc(5);
for (let bit = 0n; bit <= 32n; bit++) {
  const isSet = ((0x104c11db7n >> (32n - bit)) & 1n) === 1n;
  const at = Number(bit / 8n);
  if (isSet) SAME_CRC.writeUInt8(SAME_CRC.readUInt8(at) | (1 << Number(bit % 8n)), at);
}

/**
 * Runs work in which every read of a file is counted, and changes the file before the one that is asked for.
 *
 * @param other - a package that takes its place
 * @returns how many reads there were
 */
export async function whileMutating(
  file: string,
  other: Buffer,
  mutation: Mutation | undefined,
  work: () => Promise<void>,
): Promise<number> {
  const { read, readSync, openSync, closeSync } = fs;
  const { ino } = fs.statSync(file);
  let reads = 0;
  const before = (fd: number) => {
    if (fs.fstatSync(fd).ino !== ino) return;
    if (reads++ === mutation?.afterReads) mutate(file, other, mutation);
  };
  fs.read = ((fd: number, ...rest: unknown[]) => {
    before(fd);
    (read as (...all: unknown[]) => void)(fd, ...rest);
  }) as typeof fs.read;
  fs.readSync = (fd: number, ...rest: unknown[]) => {
    before(fd);
    return (readSync as (...all: unknown[]) => number)(fd, ...rest);
  };
  syncBuiltinESMExports();
  // Keeps the number of the file from being given to another while it is counted.
  const held = openSync(file, 'r');
  try {
    await work();
  } finally {
    closeSync(held);
    Object.assign(fs, { read, readSync });
    syncBuiltinESMExports();
  }
  return reads;
}

function mutate(file: string, other: Buffer, { kind, place, hidesTime }: Mutation): void {
  const { atime, mtime, size } = fs.statSync(file);
  const at = Math.floor(place * size);
  if (kind === 'swap') {
    fs.writeFileSync(`${file}.other`, other);
    fs.renameSync(`${file}.other`, file);
    return;
  }
  if (kind === 'shrink') fs.truncateSync(file, at);
  else {
    const fd = fs.openSync(file, 'r+');
    if (kind === 'replace') fs.writeSync(fd, other, 0, other.length, 0);
    else if (kind === 'grow') fs.writeSync(fd, other, 0, other.length, size);
    else {
      const change = kind === 'same-crc' ? SAME_CRC : Buffer.from([0x20]);
      const bytes = fs.readFileSync(file).subarray(at, at + change.length);
      fs.writeSync(
        fd,
        bytes.map((byte, index) => byte ^ (change[index] ?? 0)),
        0,
        bytes.length,
        at,
      );
    }
    fs.closeSync(fd);
  }
  if (hidesTime) fs.utimesSync(file, atime, mtime);
}
