import { createPublicKey, sign, type KeyObject } from 'node:crypto';
import type { Metadata, Root, Targets } from '@tufjs/models';
import { RunnerError } from '../../errors.js';
import { keyIdOf, readPrivateKey, readPublicKey } from '../keys.js';
import { parseVersion } from '../pep440.js';
import { documentKey, FORMAT, isKeySet, ROLES } from './format.js';
import type { KeyHolders, KeySet, KeySetContent, PackageSigner, SignedDocument } from './types.js';

type Json = Record<string, unknown>;

const SPEC_VERSION = '1.0.31';

/** The first version of a key set, signed by those private keys that are given. */
export async function makeKeySet(
  content: KeySetContent,
  privateKeys: readonly (string | KeyObject)[],
): Promise<KeySet> {
  const root = unsigned(rootOf(1, content.root, content.targets ?? content.root, content.rootExpires));
  const targets = unsigned(targetsOf(1, content));
  return addSignatures({ format: FORMAT, root: [root], targets }, privateKeys);
}

/** The next version: what `changes` names is replaced. */
export async function makeNext(
  set: KeySet,
  changes: Partial<KeySetContent>,
  privateKeys: readonly (string | KeyObject)[],
): Promise<KeySet> {
  checkShape(set);
  const before = set.root.at(-1);
  if (!before) throw invalid('it has no root');
  const next = structuredClone(set);
  const { root, targets, rootExpires } = changes;
  if (root ?? targets ?? rootExpires) {
    const { version, expires } = before.signed as { version: number; expires: string };
    const keys = { ...(before.signed.keys as Json) };
    const roles = structuredClone(before.signed.roles as Json);
    const made = rootOf(
      version + 1,
      root,
      targets ?? (root && sameHolders(roles) ? root : undefined),
      rootExpires ?? expires,
    );
    Object.assign(roles, made.roles);
    const used = new Set(Object.values(roles).flatMap((role) => (role as { keyids: string[] }).keyids));
    const all = { ...keys, ...(made.keys as Json) };
    const kept = Object.fromEntries(Object.entries(all).filter(([keyId]) => used.has(keyId)));
    next.root.push(unsigned({ ...made, keys: kept, roles }));
  }
  const signed = set.targets.signed as Json & { version: number };
  const { signers, lowestVersions, expires } = changes;
  next.targets = unsigned({
    ...signed,
    version: signed.version + 1,
    ...(expires !== undefined && { expires: dateOf(expires) }),
    ...(signers && { delegations: delegationsOf(signers) }),
    ...(lowestVersions && { lowest_versions: lowestOf(lowestVersions) }),
  });
  return addSignatures(next, privateKeys);
}

/** Adds the signatures of further holders, on the newest root and the list of signers, where their keys are asked for. */
export async function addSignatures(
  set: KeySet,
  privateKeys: readonly (string | KeyObject)[],
): Promise<KeySet> {
  checkShape(set);
  const { Metadata, MetadataKind, Signature } = await import('@tufjs/models');
  const roots = set.root.map((document) => Metadata.fromJSON(MetadataKind.Root, document as never));
  const targets = Metadata.fromJSON(MetadataKind.Targets, set.targets as never);
  const [newest, before] = [...roots].reverse();
  if (!newest) throw invalid('it has no root');
  for (const given of privateKeys) {
    const privateKey = readPrivateKey(given);
    const keyID = keyIdOf(createPublicKey(privateKey));
    const signs = (role: 'root' | 'targets', by: Metadata<Root> | undefined): boolean =>
      by?.signed.roles[role]?.keyIDs.includes(keyID) ?? false;
    const add = (metadata: Metadata<Root> | Metadata<Targets>) => {
      metadata.sign((bytes) => new Signature({ keyID, sig: sign(null, bytes, privateKey).toString('hex') }));
    };
    const isRoot = signs('root', newest) || signs('root', before);
    const isTargets = signs('targets', newest);
    if (!isRoot && !isTargets)
      throw new RunnerError('invalid_params', `The key ${keyID} has no part in this key set`);
    if (isRoot) add(newest);
    if (isTargets) add(targets);
  }
  const asJson = (metadata: Metadata<Root> | Metadata<Targets>) =>
    metadata.toJSON() as unknown as SignedDocument;
  return { format: FORMAT, root: roots.map(asJson), targets: asJson(targets) };
}

function checkShape(set: unknown): asserts set is KeySet {
  if (!isKeySet(set)) throw invalid('it is none');
}

function sameHolders(roles: Json): boolean {
  return JSON.stringify(roles.root) === JSON.stringify(roles.targets);
}

function unsigned(signed: Json): SignedDocument {
  return { signed, signatures: [] };
}

function rootOf(
  version: number,
  root: KeyHolders | undefined,
  targets: KeyHolders | undefined,
  expires: string | Date,
): Json {
  const keys: Json = {};
  const roles: Json = {};
  const add = (names: readonly string[], holders: KeyHolders) => {
    const keyids = addKeys(keys, holders.keys);
    const { threshold } = holders;
    if (!Number.isSafeInteger(threshold) || threshold < 1 || threshold > keyids.length) {
      throw invalid(`threshold must be a whole number from 1 to ${keyids.length}, the keys there are`);
    }
    for (const name of names) roles[name] = { keyids, threshold };
  };
  if (root) add(['root'], root);
  if (targets) add(ROLES.slice(1), targets);
  return {
    ...{ _type: 'root', spec_version: SPEC_VERSION, version, expires: dateOf(expires) },
    ...{ consistent_snapshot: false, keys, roles },
  };
}

function targetsOf(version: number, { signers, lowestVersions = {}, expires }: KeySetContent): Json {
  return {
    ...{ _type: 'targets', spec_version: SPEC_VERSION, version, expires: dateOf(expires), targets: {} },
    ...{ delegations: delegationsOf(signers), lowest_versions: lowestOf(lowestVersions) },
  };
}

function delegationsOf(signers: readonly PackageSigner[]): Json {
  const keys: Json = {};
  const names = signers.map(({ name }) => name);
  if (new Set(names).size < names.length) throw invalid('two signers have one name');
  const roles = signers.map(({ name, keys: own, packages = ['*'] }) => {
    const wrong = packages.find((pattern) => pattern === '' || pattern.includes('/'));
    if (wrong !== undefined) throw invalid(`${JSON.stringify(wrong)} is no name of a package`);
    const paths = packages.map((pattern) => `${pattern}/*`);
    return { name, keyids: addKeys(keys, own), threshold: 1, terminating: true, paths };
  });
  return { keys, roles };
}

function addKeys(into: Json, keys: readonly (string | KeyObject)[]): string[] {
  const keyIds = keys.map((given) => {
    const key = readPublicKey(given);
    const keyId = keyIdOf(key);
    into[keyId] = documentKey(key);
    return keyId;
  });
  return [...new Set(keyIds)];
}

function lowestOf(versions: Readonly<Record<string, string>>): Json {
  for (const [name, version] of Object.entries(versions)) {
    if (!parseVersion(version)) throw invalid(`the lowest version of ${name}, ${version}, is none (PEP 440)`);
  }
  return { ...versions };
}

/** To the second, as TUF has it. */
function dateOf(date: string | Date): string {
  const time = new Date(date);
  if (Number.isNaN(time.getTime())) throw invalid(`${String(date)} is no date`);
  return time.toISOString().replace(/\.\d+Z$/, 'Z');
}

function invalid(fault: string): RunnerError {
  return new RunnerError('invalid_params', `This is no key set: ${fault}`);
}
