import path from 'node:path';
import type { KeyObject } from 'node:crypto';
import type { SignedHead } from '../../src/outbox/index.js';
import { MemoryRecords } from './memory-records.js';
import { verifyDatabase } from '../../src/outbox/receipts/verify.js';
import { leavesKey } from '../../src/outbox/storage/keys.js';
import { levelDatabase } from '../../src/outbox/storage/level.js';

/** What somebody may do who has the folder, and not the key. */
export const TAMPERINGS = [
  'remove a record',
  'remove a record and its leaf',
  'alter a record',
  'alter a record and its leaf',
  'swap two records',
  'swap two records and their leaves',
  'add a record in place of a removed one',
  'add a record behind the last',
  'cut off the end',
  'alter a leaf',
  'move a record to another priority',
  'move a record to a key that the outbox does not read',
  'add an entry without leaves',
] as const;

type Tampering = (typeof TAMPERINGS)[number];

/** A copy of the records of a folder, in memory. */
export async function openRecords(folder: string): Promise<{ folder: string; entries: [string, Buffer][] }> {
  const database = levelDatabase(path.join(folder, 'records'));
  await database.open();
  const entries: [string, Buffer][] = [];
  for await (const entry of database.iterator({ gte: '', lt: '~' })) entries.push(entry);
  await database.close();
  return { folder, entries };
}

/** Alters a copy, and says whether that was found. */
export async function tamper(
  { folder, entries }: { folder: string; entries: [string, Buffer][] },
  options: { publicKey: KeyObject; heads: { size: number }[] },
  seed: number,
): Promise<[Tampering, boolean]> {
  const random = randomOf(seed);
  const records = new MemoryRecords(entries);
  const kind = TAMPERINGS[seed % TAMPERINGS.length] ?? TAMPERINGS[0];
  apply(kind, records, random);
  const heads = options.heads as SignedHead[];
  const report = await verifyDatabase(folder, records, { ...options, heads, withPictures: false });
  return [kind, !report.isIntact];
}

function apply(kind: Tampering, records: MemoryRecords, random: () => number): void {
  const keys = records.keysWith('r');
  const pick = () => keys[Math.floor(random() * keys.length)] ?? '';
  const key = pick();
  const index = Number(key.slice(-16));
  const leaves = records.leaves();
  const other = distinct(key, pick);
  const otherIndex = Number(other.slice(-16));
  const leafAt = (at: number) => leaves[at] ?? Buffer.alloc(0);
  switch (kind) {
    case 'remove a record':
      records.delete(key);
      break;
    case 'remove a record and its leaf':
      records.delete(key);
      records.setLeaves(index, 1);
      break;
    case 'alter a record':
      records.set(key, changed(records.at(key), random));
      break;
    case 'alter a record and its leaf':
      records.set(key, changed(records.at(key), random));
      records.setLeaves(index, 1, records.leafOf(key));
      break;
    case 'swap two records':
      records.swap(key, other);
      break;
    case 'swap two records and their leaves':
      records.swap(key, other);
      records.setLeaves(index, 1, leafAt(otherIndex));
      records.setLeaves(otherIndex, 1, leafAt(index));
      break;
    case 'add a record in place of a removed one': {
      const removed = records.removedKeys();
      const free = removed[Math.floor(random() * removed.length)] ?? '';
      records.set(free, records.at(key));
      break;
    }
    case 'add a record behind the last': {
      const next = String(leaves.length).padStart(16, '0');
      const added = `r1${next}`;
      records.set(added, changed(records.at(key), random));
      records.set(`l${next}`, records.leafOf(added));
      break;
    }
    case 'cut off the end': {
      const from = Math.floor(random() * leaves.length);
      records.cutLeaves(from);
      for (const one of [...keys, ...records.keysWith('d'), ...records.keysWith('a')]) {
        if (Number(one.slice(-16)) >= from) records.delete(one);
      }
      break;
    }
    case 'alter a leaf':
      records.setLeaves(index, 1, changed(leafAt(index), random));
      break;
    case 'move a record to another priority': {
      const digit = (Number(key[1]) + 1 + Math.floor(random() * 3)) % 5;
      const moved = `r${digit}${key.slice(2)}`;
      records.set(moved, records.at(key));
      records.delete(key);
      break;
    }
    case 'move a record to a key that the outbox does not read':
      records.set(`${key.slice(0, 2)}-${key.slice(2)}`, records.at(key));
      records.delete(key);
      break;
    case 'add an entry without leaves': {
      const entries = new Set(records.keysWith('l'));
      const within = Array.from(leaves.keys(), leavesKey).filter((one) => !entries.has(one));
      records.set(within[Math.floor(random() * within.length)] ?? '', Buffer.alloc(0));
      break;
    }
  }
}

function distinct(key: string, pick: () => string): string {
  for (;;) {
    const other = pick();
    if (other !== key) return other;
  }
}

/** One byte of it is another. */
function changed(value: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(value);
  const at = Math.floor(random() * copy.length);
  copy[at] = ((copy[at] ?? 0) + 1 + Math.floor(random() * 255)) % 256;
  return copy;
}

/** Mulberry32: the same run for the same seed. */
function randomOf(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
