/**
 * The same records into SQLite, by node:sqlite: WAL, synchronous=FULL, one transaction for each group. Reads the numbers of groups and
 * of records in a group as lines, and answers each with the seconds that it took.
 */
import process from 'node:process';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';

const [, , file, bytes] = process.argv;
const database = new DatabaseSync(file);
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
database.exec(
  'CREATE TABLE records (id INTEGER PRIMARY KEY, ingest_id TEXT NOT NULL, body TEXT NOT NULL);' +
    'CREATE TABLE due (id INTEGER PRIMARY KEY, priority INTEGER NOT NULL, attempts INTEGER NOT NULL);',
);
const record = database.prepare('INSERT INTO records (ingest_id, body) VALUES (?, ?)');
const due = database.prepare('INSERT INTO due (id, priority, attempts) VALUES (?, 1, 0)');
const body = 'x'.repeat(Number(bytes));
let number = 0;

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [groups, size] = line.split(' ').map(Number);
  const began = process.hrtime.bigint();
  for (let group = 0; group < groups; group++) {
    database.exec('BEGIN IMMEDIATE');
    for (let one = 0; one < size; one++) {
      const { lastInsertRowid } = record.run(`ws/s/1/${number}`, JSON.stringify({ number: number++, body }));
      due.run(lastInsertRowid);
    }
    database.exec('COMMIT');
    await setImmediate();
  }
  process.stdout.write(`${Number(process.hrtime.bigint() - began) / 1e9}\n`);
}
database.close();
