import { duplicateName } from '../../duplicate-name.js';
import { RunnerError } from '../../errors.js';
import { readFile, stat } from 'node:fs/promises';
import { writeJsonAtomic } from '../../store/atomic-file.js';
import { isMissing } from '../../store/errno.js';
import { checkDocuments, type CheckedKeySet } from './check.js';
import { FETCH_AGAIN, KeySetFault } from './fault.js';
import type { KeySetPolicy } from './types.js';

/** A set has some kilobytes. */
const MAX_BYTES = 1024 * 1024;

/**
 * The key set of a station, checked. Versions that are newer than any seen are remembered.
 *
 * @throws RunnerError `untrusted_keys`
 */
export async function stationKeySet(policy: KeySetPolicy): Promise<CheckedKeySet> {
  const { file, memory, seen, checked } = await check(policy, new Date());
  const now = { root: checked.rootVersion, targets: checked.version };
  if (now.root > seen.root || now.targets > seen.targets) {
    await writeJsonAtomic(memory, now).catch((cause: unknown) => {
      throw new KeySetFault(
        file,
        `is newer than ${memory} says, and that cannot be written: ${(cause as Error).message}`,
        'Give the user that this program runs as the right to write there, or name another file as keySet.seen',
        cause,
      );
    });
  }
  return checked;
}

/** The same at a time, and nothing is remembered. @throws RunnerError `untrusted_keys` */
export async function checkStationKeySet(policy: KeySetPolicy, now: Date): Promise<CheckedKeySet> {
  return (await check(policy, now)).checked;
}

async function check({ file, root, seen: memory = `${root}.seen` }: KeySetPolicy, now: Date) {
  const seen = await readSeen(file, memory);
  const [document, trusted] = await Promise.all([readDocument(file, file), readDocument(file, root)]);
  return { file, memory, seen, checked: await checkDocuments(document, trusted, { file, seen, now }) };
}

/** A JSON document from disk. @throws RunnerError `untrusted_keys` */
export async function readDocument(keySet: string, file: string): Promise<unknown> {
  try {
    if ((await stat(file)).size > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
    const text = await readFile(file, 'utf8');
    const value = JSON.parse(text) as unknown;
    const twice = duplicateName(text);
    if (twice !== undefined) throw new Error(`the name ${JSON.stringify(twice)} is in it twice`);
    return value;
  } catch (cause) {
    if (RunnerError.is(cause)) throw cause;
    throw new KeySetFault(keySet, `cannot be used: ${file}: ${(cause as Error).message}`, FETCH_AGAIN, cause);
  }
}

async function readSeen(file: string, memory: string): Promise<{ root: number; targets: number }> {
  const isThere = await stat(memory).then(
    () => true,
    (error: unknown) => {
      if (isMissing(error)) return false;
      throw new KeySetFault(file, `cannot be used: ${memory} cannot be read`, 'Mend its permissions', error);
    },
  );
  if (!isThere) return { root: 1, targets: 1 };
  const { root, targets } = ((await readDocument(file, memory)) ?? {}) as Record<string, unknown>;
  if (typeof root === 'number' && typeof targets === 'number') return { root, targets };
  throw new KeySetFault(
    file,
    `cannot be used: ${memory} is damaged`,
    'Restore that file, or remove it where nobody meant harm',
  );
}
