import type { KeyObject } from 'node:crypto';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { Archive, ArchiveEntry } from '../archive-types.js';
import { SIGNATURE_ENTRY } from '../project-layout.js';
import type { CheckedKeySet } from '../key-set/check.js';
import { packageFault } from '../key-set/package-rules.js';
import type { Requirement, VersionRef, Wheel } from '../types.js';
import { packageDigest } from './digest.js';
import { keyIdOf, readPublicKey } from '../keys.js';
import { isSignedBy, MAX_SIGNATURE_BYTES, parseSignature } from './signature.js';
import type { IntegrityPolicy, IntegrityReport } from './types.js';

/** What `checkIntegrity` holds against each other. */
export interface IntegrityOptions extends OperationOptions {
  /** Wheels of the package with their entries. */
  wheels?: readonly {
    /** Its file in the package. */
    entry: ArchiveEntry;
    /** What its name tells. */
    wheel: Wheel;
  }[];
  /** What the package says it is, for what a key set says of it. */
  package?: VersionRef;
  /** Lines of its requirements file. */
  requirements?: readonly Requirement[];
}

/** See `checkIntegrity` of the package's face. */
export async function checkIntegrity(
  archive: Archive,
  policy: IntegrityPolicy,
  o: IntegrityOptions = {},
): Promise<IntegrityReport> {
  const report: IntegrityReport = { signature: 'not_checked', findings: [] };
  if (policy.mode === 'off') return report;
  const found = findingsOf(archive.path, policy, report);
  // The signature first: of a package from nobody known, nothing else is looked at.
  const trusted = await trustedKeys(policy, report);
  if (trusted) await checkSignature(signedContentOf(archive, o), trusted, report, found, o);
  await checkWheelHashes(archive, found, o);
  return report;
}

const SIGN = 'Ask its maker to sign it (signPackage of procvision-runner/signing)';

/** Keys that a signature may come from, by identifier; undefined when none is demanded. */
interface TrustedKeys {
  keys: ReadonlyMap<string, KeyObject>;
  keySet?: CheckedKeySet;
}

/** @throws RunnerError `untrusted_keys`; where the policy is lenient that is a finding */
async function trustedKeys(
  { mode, publicKeys, keySet }: IntegrityPolicy,
  report: IntegrityReport,
): Promise<TrustedKeys | undefined> {
  if (publicKeys) {
    return { keys: new Map(publicKeys.map(readPublicKey).map((key) => [keyIdOf(key), key])) };
  }
  if (!keySet) return undefined;
  try {
    const { stationKeySet } = await import('../key-set/station.js');
    const checked = await stationKeySet(keySet);
    return { keys: checked.keys, keySet: checked };
  } catch (error) {
    if (mode === 'strict' || !RunnerError.is(error, 'untrusted_keys')) throw error;
    report.findings.push(error.message);
    return undefined;
  }
}

/** A package as far as its signature goes. */
export interface SignedContent {
  /** What it is called in messages. */
  path: string;
  /** Content of its entry `SIGNATURE`; `missing` where it has none, `too long` where that can be no signature. */
  signature: () => Promise<Buffer | 'missing' | 'too long'>;
  digest: () => Promise<string>;
}

/**
 * Checks a signature alone, as {@link checkIntegrity} does: for a package whose content is not here yet.
 *
 * @throws RunnerError `invalid_zip`, `untrusted_keys`
 */
export async function checkSignatureOf(
  content: SignedContent,
  policy: IntegrityPolicy,
  o: Pick<IntegrityOptions, 'package'> = {},
): Promise<IntegrityReport> {
  const report: IntegrityReport = { signature: 'not_checked', findings: [] };
  const trusted = policy.mode === 'off' ? undefined : await trustedKeys(policy, report);
  if (trusted) await checkSignature(content, trusted, report, findingsOf(content.path, policy, report), o);
  return report;
}

/** Takes a finding: the error of a strict policy, a line in the report of a lenient one. */
function findingsOf(path: string, { mode }: IntegrityPolicy, report: IntegrityReport) {
  return (finding: string) => {
    if (mode !== 'strict') {
      report.findings.push(finding);
      return;
    }
    throw new RunnerError('invalid_zip', `${path}: ${finding}`, {
      details: { path, stage: 'integrity', signature: report.signature },
    });
  };
}

/** An archive's own. */
function signedContentOf(archive: Archive, o: OperationOptions): SignedContent {
  return {
    path: archive.path,
    signature: async () => {
      const entry = archive.get(SIGNATURE_ENTRY);
      if (!entry || entry.isDirectory) return 'missing';
      return entry.sizeBytes > MAX_SIGNATURE_BYTES ? 'too long' : archive.read(entry, o);
    },
    digest: () => packageDigest(archive, o),
  };
}

async function checkSignature(
  content: SignedContent,
  { keys, keySet }: TrustedKeys,
  report: IntegrityReport,
  found: (finding: string) => void,
  o: Pick<IntegrityOptions, 'package'>,
): Promise<void> {
  const bytes = await content.signature();
  if (bytes === 'missing') {
    report.signature = 'missing';
    found(`is not signed: it has no entry ${SIGNATURE_ENTRY}. ${SIGN}`);
    return;
  }
  report.signature = 'invalid';
  const signature = bytes === 'too long' ? undefined : parseSignature(bytes.toString('utf8'));
  if (!signature) {
    found(`its entry ${SIGNATURE_ENTRY} is no signature of a known format. ${SIGN} again`);
    return;
  }
  report.keyId = signature.keyId;
  const key = keys.get(signature.keyId);
  if (!key) {
    report.signature = 'unknown_key';
    const add = keySet ? `add it to the signers of ${keySet.file}` : 'add it to publicKeys';
    found(
      `is signed by the key ${signature.keyId}, which is none of the ${keys.size} known. ` +
        `If you know whose it is, ${add}; else have the package signed by a known key`,
    );
    return;
  }
  const digest = await content.digest();
  report.digest = digest;
  if (isSignedBy(key, digest, signature)) {
    report.signature = 'valid';
    const fault = keySet && o.package && packageFault(keySet, signature.keyId, o.package);
    if (fault !== undefined) found(fault);
  } else {
    found(
      signature.digest === digest
        ? `its signature does not come from the key ${signature.keyId} that it names. ${SIGN} again`
        : `was altered after it was signed: its digest is ${digest}, the signature is over ${signature.digest}. ` +
            `Copy it again from its source; if it stays so, ask its maker to sign what was changed`,
    );
  }
}

/** A wheel counts as covered when a requirement of its project gives hashes; those of several lines add up. */
async function checkWheelHashes(
  archive: Archive,
  found: (finding: string) => void,
  o: IntegrityOptions,
): Promise<void> {
  const hashes = new Map<string, Set<string>>();
  for (const requirement of o.requirements ?? []) {
    if (requirement.hashes.length === 0) continue;
    const known = hashes.get(requirement.name) ?? new Set<string>();
    for (const hash of requirement.hashes) known.add(hash.toLowerCase());
    hashes.set(requirement.name, known);
  }
  if (hashes.size === 0) return;
  for (const { entry, wheel } of o.wheels ?? []) {
    throwIfAborted(o.signal, 'check of integrity');
    const expected = hashes.get(wheel.name);
    if (!expected) {
      // pip demands hashes of everything as soon as one line has one.
      found(
        `its wheel ${wheel.file} has no hash in the requirements, where others have. ` +
          `Add it (pip hash ${wheel.file}), or take the wheel out where nothing requires it`,
      );
      continue;
    }
    const actual = (await archive.digests({ signal: o.signal })).entries.get(entry.name) ?? '';
    if (!expected.has(actual)) {
      found(
        `its wheel ${wheel.file} has the SHA-256 ${actual}, but the requirements ask for ${[...expected].join(' or ')}. ` +
          'Pack the wheel that was meant, or correct the hash',
      );
    }
  }
}
