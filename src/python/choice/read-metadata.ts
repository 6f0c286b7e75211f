import { RunnerError } from '../../errors.js';
import { openArchive } from '../../package/archive/open-archive.js';
import { parseMetadata, type WheelMetadata } from '../../package/wheel-metadata.js';

/** What the METADATA of a wheel file says. */
export async function readMetadata(file: string): Promise<WheelMetadata> {
  await using archive = await openArchive(file);
  const entry = archive.entries.find(({ name }) => /^[^/]+\.dist-info\/METADATA$/.test(name));
  if (!entry)
    throw new RunnerError('install_failed', `The wheel ${file} has no METADATA`, { details: { path: file } });
  return parseMetadata((await archive.read(entry)).toString('utf8'));
}
