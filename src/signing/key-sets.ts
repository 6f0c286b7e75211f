import type { KeyObject } from 'node:crypto';
import { throwIfAborted, type OperationOptions } from '../abort.js';
import { RunnerError } from '../errors.js';
import { checkDocuments, reportOf } from '../package/key-set/check.js';
import { addSignatures, makeKeySet, makeNext } from '../package/key-set/make.js';
import { isKeySet } from '../package/key-set/format.js';
import { readDocument } from '../package/key-set/station.js';
import type { KeySet, KeySetContent, KeySetReport, SignedDocument } from '../package/key-set/types.js';
import { writeJsonAtomic } from '../store/atomic-file.js';

/** Who signs now. */
export interface PrivateKeys extends OperationOptions {
  /** Ed25519 private keys, as PEM (PKCS #8) or key object. A holder who is elsewhere signs later, with `signKeySet`. */
  privateKeys: readonly (string | KeyObject)[];
}

export interface CheckKeySetOptions extends OperationOptions {
  /** What a station trusts. @defaultValue the oldest root of the set itself, for a look at a set of one's own */
  root?: SignedDocument;
  /** What the set is called in messages. @defaultValue `given` */
  file?: string;
  /** The time at which it is to hold. @defaultValue now */
  now?: Date;
}

/**
 * Makes the first version of a key set. It holds once enough holders have signed it.
 *
 * @throws RunnerError `invalid_params` for a key, a threshold, a date or a version that is none
 */
export async function createKeySet(content: KeySetContent, o: PrivateKeys): Promise<KeySet> {
  throwIfAborted(o.signal, 'making of the key set');
  return makeKeySet(content, o.privateKeys);
}

/**
 * Makes the next version of a key set: what `changes` names is replaced, everything else stays. A change of `root`,
 * `targets` or `rootExpires` makes a new root, which the holders before and after it sign.
 *
 * @throws RunnerError `invalid_params` for a set that is none, a key, a threshold, a date or a version that is none
 */
export async function rotateKeySet(
  set: KeySet,
  changes: Partial<KeySetContent>,
  o: PrivateKeys,
): Promise<KeySet> {
  throwIfAborted(o.signal, 'making of the key set');
  return makeNext(set, changes, o.privateKeys);
}

/**
 * Adds the signatures of further holders to the newest version of a set.
 *
 * @throws RunnerError `invalid_params` for a set that is none, or a key that has no part in it
 */
export async function signKeySet(set: KeySet, o: PrivateKeys): Promise<KeySet> {
  throwIfAborted(o.signal, 'signing of the key set');
  return addSignatures(set, o.privateKeys);
}

/**
 * Checks a set as a station does: from the root it trusts, by signatures, thresholds and dates.
 *
 * @throws RunnerError `untrusted_keys`, which says who must do what
 */
export async function checkKeySet(set: KeySet, o: CheckKeySetOptions = {}): Promise<KeySetReport> {
  throwIfAborted(o.signal, 'check of the key set');
  const { root = isKeySet(set) ? set.root[0] : undefined, file = 'given', now = new Date() } = o;
  return reportOf(await checkDocuments(set, root, { file, now }));
}

/**
 * The newest root of a set: what a station is set up with, as the file `keySet.root` of its policy.
 *
 * @throws RunnerError `invalid_params` for a set that is none
 */
export function rootOf(set: KeySet): SignedDocument {
  const root = isKeySet(set) ? set.root.at(-1) : undefined;
  if (!root) throw new RunnerError('invalid_params', 'This is no key set: it has no root');
  return root;
}

/**
 * Reads a key set; what its signatures are worth is for {@link checkKeySet} to say.
 *
 * @throws RunnerError `untrusted_keys` when the file is none
 */
export async function readKeySet(file: string, o: OperationOptions = {}): Promise<KeySet> {
  throwIfAborted(o.signal, 'reading of the key set');
  const value = await readDocument(file, file);
  if (isKeySet(value)) return value;
  throw new RunnerError('untrusted_keys', `${file} is no key set`, { details: { path: file } });
}

/** Writes a key set or a root, whole or not at all. */
export async function writeKeySet(
  file: string,
  set: KeySet | SignedDocument,
  o: OperationOptions = {},
): Promise<void> {
  throwIfAborted(o.signal, 'writing of the key set');
  await writeJsonAtomic(file, set);
}
