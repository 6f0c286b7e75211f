/**
 * The same records into SQLite, by node:sqlite: WAL, synchronous=FULL, one transaction for each group. With `log` as the third argument
 * each is also what a record of ours is: found by its id alone once, a leaf of a Merkle tree (RFC 9162), and covered by a head that is
 * signed with each group. Reads the numbers of groups and of records in a group as lines, and answers each with the seconds that it
 * took.
 */
import { Buffer } from 'node:buffer';
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';

const [, , file, bytes, work] = process.argv;
const isLog = work === 'log';
const database = new DatabaseSync(file);
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
database.exec(
  'CREATE TABLE records (id INTEGER PRIMARY KEY, ingest_id TEXT NOT NULL, body TEXT NOT NULL);' +
    'CREATE TABLE due (id INTEGER PRIMARY KEY, priority INTEGER NOT NULL, attempts INTEGER NOT NULL);',
);
if (isLog) {
  database.exec(
    'CREATE UNIQUE INDEX by_ingest_id ON records (ingest_id);' +
      'CREATE TABLE leaves (id INTEGER PRIMARY KEY, leaf BLOB NOT NULL);' +
      'CREATE TABLE heads (size INTEGER PRIMARY KEY, root BLOB NOT NULL, signature BLOB NOT NULL);',
  );
}
const record = database.prepare('INSERT INTO records (ingest_id, body) VALUES (?, ?)');
const due = database.prepare('INSERT INTO due (id, priority, attempts) VALUES (?, 1, 0)');
const leafRow = isLog && database.prepare('INSERT INTO leaves (id, leaf) VALUES (?, ?)');
const headRow =
  isLog && database.prepare('INSERT OR REPLACE INTO heads (size, root, signature) VALUES (?, ?, ?)');
const { privateKey } = generateKeyPairSync('ed25519');
const body = 'x'.repeat(Number(bytes));
let number = 0;

const sha256 = (...parts) =>
  Buffer.from(hash('sha256', parts.length === 1 ? parts[0] : Buffer.concat(parts), 'binary'), 'binary');
const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);
/** Roots of the full subtrees, from left to right. */
const edge = [];

function addLeaf(text) {
  const leaf = sha256(LEAF, Buffer.of(1), sha256(text));
  let whole = leaf;
  for (let index = number; index % 2 === 1; index = (index - 1) / 2) whole = sha256(NODE, edge.pop(), whole);
  edge.push(whole);
  return leaf;
}

function signHead() {
  const root = edge.toReversed().reduce((right, left) => sha256(NODE, left, right));
  headRow.run(number, root, sign(null, Buffer.from(`${number}\n${root.toString('hex')}\n`), privateKey));
}

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [groups, size] = line.split(' ').map(Number);
  const began = process.hrtime.bigint();
  for (let group = 0; group < groups; group++) {
    database.exec('BEGIN IMMEDIATE');
    for (let one = 0; one < size; one++) {
      const text = JSON.stringify({ number, body });
      const { lastInsertRowid } = record.run(`ws/s/1/${number}`, text);
      due.run(lastInsertRowid);
      if (isLog) leafRow.run(lastInsertRowid, addLeaf(text));
      number++;
    }
    if (isLog) signHead();
    database.exec('COMMIT');
    await setImmediate();
  }
  process.stdout.write(`${Number(process.hrtime.bigint() - began) / 1e9}\n`);
}
database.close();
