import { loadArchive, type OpenArchiveOptions } from './load-archive.js';
import { ZipArchive } from './zip-archive.js';

/** See `openArchive` of the package's face. */
export async function openArchive(path: string, options: OpenArchiveOptions = {}): Promise<ZipArchive> {
  return new ZipArchive(await loadArchive(path, options));
}

/**
 * The same to read a file or two: each local header is checked when its entry is read, and all of them before anything is
 * unpacked, but none while it is opened.
 */
export async function lookIntoArchive(path: string, options: OpenArchiveOptions = {}): Promise<ZipArchive> {
  return new ZipArchive(await loadArchive(path, { ...options, lazy: true }));
}
