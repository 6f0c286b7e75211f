import type { KeyObject } from 'node:crypto';
import type { Metadata, Root, Targets } from '@tufjs/models';
import { parseVersion } from '../pep440.js';
import { FETCH_AGAIN, KeySetFault } from './fault.js';
import { isKeySet, isSignedDocument, readDocumentKey, ROLES } from './format.js';
import type { KeySet, KeySetReport, SignedDocument } from './types.js';

/** A key set whose signatures and dates hold. */
export interface CheckedKeySet extends KeySetReport {
  file: string;
  /** The newest root. From now on it may replace the root that the station was set up with. */
  root: SignedDocument;
  /** Keys of the signers, by identifier. */
  keys: ReadonlyMap<string, KeyObject>;
}

export interface CheckOptions {
  /** What the set is called in messages. */
  file: string;
  now: Date;
  /** Versions below which nothing is taken. */
  seen?: { root: number; targets: number };
}

/** A date that every reader reads alike; TUF's models take any string, and a string that is no date never expires. */
const DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/;

/**
 * Checks a key set from the root that the station trusts: each newer root is signed by the one before and by itself, the
 * newest signs the rest, nothing is expired, nothing is older than what was seen.
 *
 * @throws RunnerError `untrusted_keys`, which says who must do what
 */
export async function checkDocuments(
  value: unknown,
  trusted: unknown,
  o: CheckOptions,
): Promise<CheckedKeySet> {
  const { file, now, seen = { root: 1, targets: 1 } } = o;
  const { Metadata, MetadataKind } = await import('@tufjs/models');
  if (!isKeySet(value)) throw new KeySetFault(file, 'is no key set', FETCH_AGAIN);
  const read = <T>(what: string, work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      throw new KeySetFault(file, `has ${what}: ${(cause as Error).message}`, FETCH_AGAIN, cause);
    }
  };
  const asRoot = (document: unknown): Metadata<Root> =>
    read('a root that is none', () => {
      if (!isSignedDocument(document)) throw new Error('it has no signatures');
      const root = Metadata.fromJSON(MetadataKind.Root, document as never);
      checkSigned(root.signed);
      checkRoot(root.signed);
      return root;
    });
  let root = asRoot(trusted);
  let document = trusted as SignedDocument;
  for (const next of value.root) {
    const newer = asRoot(next);
    if (newer.signed.version <= root.signed.version) continue;
    if (newer.signed.version !== root.signed.version + 1) {
      throw new KeySetFault(
        file,
        `goes from root ${root.signed.version} to ${newer.signed.version}`,
        FETCH_AGAIN,
      );
    }
    for (const signer of [root, newer]) {
      verify(file, signer, 'root', newer, `root ${newer.signed.version}`);
    }
    root = newer;
    document = next;
  }
  if (root.signed.version < seen.root) throw older(file, 'root', root.signed.version, seen.root);
  checkDate(file, 'root', root, root, now);
  const targets: Metadata<Targets> = read('signers that are none', () => {
    const signers = Metadata.fromJSON(MetadataKind.Targets, value.targets as never);
    checkSigned(signers.signed);
    return signers;
  });
  verify(file, root, 'targets', targets, 'the list of signers');
  if (targets.signed.version < seen.targets) throw older(file, 'list', targets.signed.version, seen.targets);
  checkDate(file, 'targets', root, targets, now);
  return {
    ...{ file, root: document, rootVersion: root.signed.version, rootExpires: root.signed.expires },
    ...{ version: targets.signed.version, expires: targets.signed.expires },
    ...read('signers that are none', () => readSigners(targets.signed)),
  };
}

function checkSigned({ version, expires }: { version: number; expires: string }): void {
  if (!Number.isSafeInteger(version) || version < 1) throw new Error(`version ${version} is no version`);
  if (!DATE.test(expires) || Number.isNaN(Date.parse(expires))) throw new Error(`${expires} is no date`);
}

/** One key under two identifiers would count twice; so an identifier must be that of its key. */
function checkRoot({ keys, roles }: Root): void {
  for (const [keyId, key] of Object.entries(keys)) {
    if (!readDocumentKey(keyId, key.toJSON()))
      throw new Error(`the key ${keyId} is not an Ed25519 key of that name`);
  }
  for (const name of ROLES) {
    const { keyIDs, threshold } = roles[name] ?? { keyIDs: [], threshold: 0 };
    if (!Number.isSafeInteger(threshold) || threshold < 1 || threshold > new Set(keyIDs).size) {
      throw new Error(`${name} asks for ${threshold} of ${new Set(keyIDs).size} keys`);
    }
  }
}

/** Whether enough holders of the role signed. */
function verify(
  file: string,
  root: Metadata<Root>,
  role: 'root' | 'targets',
  signed: Metadata<Root> | Metadata<Targets>,
  what: string,
): void {
  try {
    root.verifyDelegate(role, signed);
  } catch (cause) {
    const { threshold } = root.signed.roles[role] ?? { threshold: 0 };
    throw new KeySetFault(
      file,
      `does not have enough signatures on ${what}: ${threshold} are needed of ${holdersOf(root, role)}`,
      'Holders of these keys sign it with signKeySet(); then copy it here again',
      cause,
    );
  }
}

function checkDate(
  file: string,
  role: 'root' | 'targets',
  root: Metadata<Root>,
  { signed }: Metadata<Root> | Metadata<Targets>,
  now: Date,
): void {
  if (!signed.isExpired(now)) return;
  const { threshold } = root.signed.roles[role] ?? { threshold: 0 };
  const what = role === 'root' ? 'The root keys of it' : 'It';
  throw new KeySetFault(
    file,
    `expired on ${signed.expires}, so no package is installed`,
    `${what} must be renewed by ${threshold} of the holders of the keys ${holdersOf(root, role)}: one makes the next ` +
      `version with rotateKeySet(), the others add signKeySet(), and the file is copied here`,
  );
}

function holdersOf({ signed }: Metadata<Root>, role: 'root' | 'targets'): string {
  return signed.roles[role]?.keyIDs.join(', ') ?? '';
}

function older(file: string, what: string, version: number, seen: number): Error {
  return new KeySetFault(
    file,
    `has version ${version} of its ${what}, where ${seen} was seen before`,
    FETCH_AGAIN,
  );
}

function readSigners(targets: Targets): Pick<CheckedKeySet, 'signers' | 'lowestVersions' | 'keys'> {
  const { delegations, unrecognizedFields } = targets;
  const keys = new Map<string, KeyObject>();
  for (const [keyId, key] of Object.entries(delegations?.keys ?? {})) {
    const read = readDocumentKey(keyId, key.toJSON());
    if (!read) throw new Error(`the key ${keyId} is not an Ed25519 key of that name`);
    keys.set(keyId, read);
  }
  const signers = Object.values(delegations?.roles ?? {}).map(({ name, keyIDs, threshold, paths = [] }) => {
    if (threshold !== 1) throw new Error(`${name} asks for ${threshold} signatures; a package has one`);
    const packages = paths.map((path) => {
      if (!path.endsWith('/*')) throw new Error(`${path} is no pattern of a package and its versions`);
      return path.slice(0, -2);
    });
    return { name, keyIds: [...keyIDs], packages };
  });
  const lowestVersions: Record<string, string> = {};
  const lowest = (unrecognizedFields.lowest_versions ?? {}) as Record<string, unknown>;
  for (const [name, version] of Object.entries(lowest)) {
    if (typeof version !== 'string' || !parseVersion(version))
      throw new Error(`${name} has no lowest version`);
    lowestVersions[name] = version;
  }
  return { signers, lowestVersions, keys };
}

/** @returns the set with what a reader may know of it */
export function reportOf({
  rootVersion,
  rootExpires,
  version,
  expires,
  ...set
}: CheckedKeySet): KeySetReport {
  const { signers, lowestVersions } = set;
  return { rootVersion, rootExpires, version, expires, signers, lowestVersions };
}

export type { KeySet };
