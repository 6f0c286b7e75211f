/**
 * `npm run bench` runs every case but the heavy ones; `npm run bench -- NAME…` runs those whose name contains a NAME.
 * Prints a table and writes `bench/out/results.json`.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { machine, type BenchCase, type BenchResult } from './harness.js';

const casesFolder = new URL('./cases/', import.meta.url);
const outFolder = new URL('./out/', import.meta.url);

async function allCases(): Promise<BenchCase[]> {
  const files = (await readdir(casesFolder)).filter((file) => file.endsWith('.ts')).sort();
  const modules = await Promise.all(
    files.map((file) => import(new URL(file, casesFolder).href) as Promise<{ cases: BenchCase[] }>),
  );
  return modules.flatMap(({ cases }) => cases);
}

function row(result: BenchResult): string {
  const value = `${Number(result.value.toPrecision(3))} ${result.unit}`;
  const ratio = result.ratio === undefined ? '' : `${Number(result.ratio.toPrecision(3))} x`;
  return [
    result.pass ? 'pass' : 'MISS',
    result.name.padEnd(58),
    value.padStart(12),
    ratio.padStart(9),
    result.goal.padStart(14),
    ` ${result.comparator}`,
  ].join(' ');
}

const wanted = process.argv.slice(2);
const results: BenchResult[] = [];
console.log(machine());
for (const bench of await allCases()) {
  const named = wanted.some((name) => bench.name.includes(name));
  if (wanted.length > 0 ? !named : bench.heavy) continue;
  for (const result of await bench.run()) {
    results.push(result);
    console.log(row(result));
  }
}
await mkdir(outFolder, { recursive: true });
await writeFile(new URL('results.json', outFolder), `${JSON.stringify(results, null, 2)}\n`);
if (results.length === 0) {
  console.error(`No case has a name with ${wanted.join(' or ')} in it.`);
  process.exitCode = 1;
}
