import type { KeyObject } from 'node:crypto';
import { RunnerError } from '../../errors.js';
import { readPublicKey } from '../../package/keys.js';
import { leafData } from '../storage/leaves.js';
import { isSignedBy, type SignedHead } from '../log/heads.js';
import { isConsistent, isIncluded, leafHash } from '../log/merkle.js';
import type { ConsistencyProof, RecordProof } from './proofs.js';

/**
 * Checks that a record stands in a station's log: without the log, with the proof and the station's public key alone.
 *
 * @throws RunnerError `untrusted_receipt` naming what does not hold; `invalid_params` for a key that is none
 */
export function checkProof(proof: RecordProof, publicKey: string | KeyObject): void {
  const { index, leaf, record, path, head } = proof;
  checkHead(head, publicKey);
  const data = Buffer.from(leaf, 'hex');
  if (record !== undefined && !leafData(data[0] ?? 0, Buffer.from(record)).equals(data)) {
    throw untrusted(`record ${index}`, 'it is not the record of its leaf');
  }
  if (!isIncluded(leafHash(data), index, head.size, hashes(path), Buffer.from(head.root, 'hex'))) {
    throw untrusted(`record ${index}`, 'its path does not lead to the root of the head');
  }
}

/**
 * Checks that a station's log goes on from a head of it that was kept: nothing that the earlier head covers was removed or altered.
 *
 * @throws RunnerError `untrusted_receipt` naming what does not hold; `invalid_params` for a key that is none
 */
export function checkConsistency(
  earlier: SignedHead,
  proof: ConsistencyProof,
  publicKey: string | KeyObject,
): void {
  const { head, path, earlierSize } = proof;
  checkHead(earlier, publicKey);
  checkHead(head, publicKey);
  const what = `the log ${head.origin}`;
  if (earlier.origin !== head.origin) throw untrusted(what, `it is not the log ${earlier.origin}`);
  if (earlier.size !== earlierSize) throw untrusted(what, `the proof is about ${earlierSize} records`);
  const tree = ({ size, root }: SignedHead) => ({ size, root: Buffer.from(root, 'hex') });
  if (!isConsistent(tree(earlier), tree(head), hashes(path))) {
    throw untrusted(
      what,
      `its ${head.size} records do not begin with the ${earlier.size} of the earlier head`,
    );
  }
}

function checkHead(head: SignedHead, publicKey: string | KeyObject): void {
  if (isSignedBy(head, readPublicKey(publicKey))) return;
  throw untrusted(`the head of ${head.size} records`, 'it is not signed by the key');
}

function hashes(path: readonly string[]): Buffer[] {
  return path.map((hash) => Buffer.from(hash, 'hex'));
}

function untrusted(what: string, reason: string): RunnerError {
  return new RunnerError('untrusted_receipt', `${what} cannot be trusted: ${reason}`, {
    details: { path: what, reason },
  });
}
