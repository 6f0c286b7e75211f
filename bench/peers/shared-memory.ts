import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { Unavailable, type BenchContext } from '../harness/case.js';
import { sharedPrefixOf } from '../harness/shared-names.js';

let made = 0;

/** Start of names in shared memory that nobody else uses; they go with the case. */
export function sharedName({ folder }: BenchContext): string {
  const prefix = sharedPrefixOf(folder);
  if (prefix === undefined) throw new Unavailable('This system has no /dev/shm');
  return `${prefix}${++made}`;
}

export type MapFile = (file: string, bytes: number) => ArrayBuffer;

/** Makes files and maps them (mmap(2)), through koffi. */
export async function fileMapper(): Promise<MapFile> {
  if (process.platform !== 'linux') throw new Unavailable('Files are mapped on Linux alone');
  const koffi = await import('koffi').then(
    (module) => module.default,
    () => {
      throw new Unavailable('koffi is not installed');
    },
  );
  const mmap = koffi.load('libc.so.6').func('void *mmap(void *, size_t, int, int, int, int64_t)');
  const [readAndWrite, shared] = [0x1 | 0x2, 0x1];
  return (file, bytes) => {
    const descriptor = openSync(file, 'w+');
    try {
      ftruncateSync(descriptor, bytes);
      return koffi.view(mmap(null, bytes, readAndWrite, shared, descriptor, 0), bytes);
    } finally {
      closeSync(descriptor);
    }
  };
}
