import { loadArchive, type OpenArchiveOptions } from './load-archive.js';
import { ZipArchive } from './zip-archive.js';

/** See `openArchive` of the package's face. */
export async function openArchive(path: string, options: OpenArchiveOptions = {}): Promise<ZipArchive> {
  return new ZipArchive(await loadArchive(path, options));
}
