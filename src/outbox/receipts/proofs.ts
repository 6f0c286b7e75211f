import { RunnerError } from '../../errors.js';
import { LEAST_STORED_LEVEL, nodeKey, recordKey } from '../storage/keys.js';
import { leavesFrom } from '../storage/leaves.js';
import type { RecordStore } from '../storage/record-store.js';
import { consistencyPath, inclusionPath, leafHash, nodeHash, type NodeReader } from '../log/merkle.js';
import type { SignedHead } from '../log/heads.js';

/** What shows that a record stands in a station's log. */
export interface RecordProof {
  /** Place of the record in the log. */
  index: number;
  /** The data of its leaf, in hexadecimal digits: a byte of its priority, then the SHA-256 of the record. */
  leaf: string;
  /** The record as it is stored, JSON; undefined where it was removed since. */
  record?: string;
  /** Hashes from the leaf to the root, in hexadecimal digits. */
  path: string[];
  head: SignedHead;
}

/** What shows that a log goes on from an earlier head. */
export interface ConsistencyProof {
  earlierSize: number;
  /** Hashes of RFC 9162, in hexadecimal digits. */
  path: string[];
  head: SignedHead;
}

/** @throws RunnerError `not_found`, `closed`, `store_failed` */
export async function proveRecord(store: RecordStore, index: number): Promise<RecordProof> {
  const { head } = store.state;
  const isThere = Number.isSafeInteger(index) && index >= 0;
  if (!head || !isThere || index >= head.size) throw noRecord(index, head?.size ?? 0);
  const { value: leaf } = await leavesFrom(store.database, index, index + 1).next();
  if (!leaf) throw noRecord(index, head.size);
  const record = await store.database.get(recordKey(leaf[0] ?? 0, index));
  const path = await inclusionPath(readerOf(store), index, head.size);
  return {
    index,
    leaf: leaf.toString('hex'),
    ...(record && { record: record.toString() }),
    path: path.map((hash) => hash.toString('hex')),
    head,
  };
}

/** @throws RunnerError `not_found`, `closed`, `store_failed` */
export async function proveConsistency(store: RecordStore, earlierSize: number): Promise<ConsistencyProof> {
  const { head } = store.state;
  const isSize = Number.isSafeInteger(earlierSize) && earlierSize >= 0;
  if (!head || !isSize || earlierSize > head.size) throw noRecord(earlierSize, head?.size ?? 0);
  const path = await consistencyPath(readerOf(store), earlierSize, head.size);
  return { earlierSize, path: path.map((hash) => hash.toString('hex')), head };
}

/** Reads nodes: large subtrees are stored, small ones are made from their leaves. */
function readerOf(store: RecordStore): NodeReader {
  return async (level, index) => {
    if (level >= LEAST_STORED_LEVEL) {
      const stored = await store.database.get(nodeKey(level, index));
      if (!stored) throw new Error(`node ${index} of level ${level} is not in the store`);
      return stored;
    }
    const size = 2 ** level;
    let row: Buffer[] = [];
    for await (const leaf of leavesFrom(store.database, index * size, (index + 1) * size)) {
      row.push(leafHash(leaf));
    }
    if (row.length !== size) throw new Error(`leaves from ${index * size} on are not in the store`);
    while (row.length > 1) row = pairs(row);
    return row[0] ?? Buffer.alloc(0);
  };
}

function pairs(row: readonly Buffer[]): Buffer[] {
  return row.flatMap((left, at) => {
    const right = row[at + 1];
    return at % 2 === 0 && right ? [nodeHash(left, right)] : [];
  });
}

function noRecord(index: number, size: number): RunnerError {
  return new RunnerError('not_found', `The log has no record ${index}: it has ${size}, numbered from 0`, {
    details: { entry: String(index) },
  });
}
