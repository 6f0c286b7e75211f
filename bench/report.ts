/**
 * `npm run bench:report -- FILE…` writes the tables of docs/performance.md from results of the bench: what stands between
 * its two marks is made by this script alone. The results become `bench/results.jsonl`, so that a test can hold the page
 * against them. Of several files, a later one replaces the cases that it has of an earlier one; without a file, the tables
 * are written from the results that are there.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from './harness/builds.js';
import type { BenchRecord } from './harness/records.js';
import { parseRecords, performancePage, mergeRecords } from './harness/tables.js';

const RESULTS = path.join(ROOT, 'bench', 'results.jsonl');
const PAGE = path.join(ROOT, 'docs', 'performance.md');

async function main(files: readonly string[]): Promise<void> {
  const read = async (file: string) => parseRecords(await readFile(file, 'utf8'));
  let records: BenchRecord[] = [];
  for (const file of files.length > 0 ? files : [RESULTS]) records = mergeRecords(records, await read(file));
  const lines = records.map((record) => `${JSON.stringify(record)}\n`);
  if (files.length > 0) await writeFile(RESULTS, lines.join(''));
  await writeFile(PAGE, performancePage(await readFile(PAGE, 'utf8'), records));
}

await main(process.argv.slice(2));
