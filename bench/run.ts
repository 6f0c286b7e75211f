/**
 * `npm run bench` runs every case. Each runs in a process of its own, so that one that fails or hangs is a line of the
 * report and no more; the exit code is 1 then.
 *
 *     npm run bench -- [--only NAME[,NAME…]] [--quick] [--against REF] [--rounds N] [--twice] [--list]
 *
 * `--only` runs the cases whose name contains a NAME. `--quick` takes one round of each, with less in it, and no goals.
 * `--against` builds another commit in a temp folder and alternates with it, round by round. `--twice` goes through the cases
 * once more when all are through: the second time is a case `NAME, again`, beside the first. Results go to
 * `bench/out/<date>-<mode>.jsonl` and, for a full run of all cases, are what `npm run bench:report` writes the tables of
 * docs/performance.md from.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchCase } from './harness/case.js';
import { buildOf, ROOT, thisBuild } from './harness/builds.js';
import { removeLeft } from './harness/aside.js';
import { closeAll } from './harness/case-process.js';
import { machineFacts, versions } from './harness/machine.js';
import { measureCase, type FoundCase } from './harness/measure.js';
import { heading, linesOf, summary } from './harness/print.js';
import type { BenchRecord, CaseResult, RunRecord } from './harness/records.js';

const casesFolder = new URL('./cases/', import.meta.url);
const outFolder = fileURLToPath(new URL('./out/', import.meta.url));
const CACHE = path.join(os.tmpdir(), 'procvision-bench-cache');

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    against: { type: 'string' },
    rounds: { type: 'string' },
    twice: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

async function allCases(): Promise<FoundCase[]> {
  const files = (await readdir(casesFolder)).filter((file) => file.endsWith('.ts')).sort();
  const found = await Promise.all(
    files.map(async (file) => {
      const module = new URL(file, casesFolder).href;
      const { cases } = (await import(module)) as { cases: BenchCase[] };
      return cases.map((bench) => ({ bench, module }));
    }),
  );
  return found.flat();
}

function roundsAsked(): number | undefined {
  if (options.rounds === undefined) return undefined;
  const rounds = Number(options.rounds);
  if (Number.isInteger(rounds) && rounds > 0) return rounds;
  throw new Error(`--rounds takes a whole number above 0, not ${options.rounds}`);
}

async function main(): Promise<void> {
  const names = [...positionals, ...options.only.flatMap((text) => text.split(','))].filter(Boolean);
  const all = await allCases();
  const wanted = all.filter(({ bench }) => names.length === 0 || names.some((n) => bench.name.includes(n)));
  if (wanted.length === 0) {
    const known = all.map(({ bench }) => bench.name).join(', ');
    throw new Error(`No case has ${names.join(' or ')} in its name. There are: ${known}`);
  }
  if (options.list) {
    for (const { bench } of wanted) console.log(`${bench.name.padEnd(36)} ${bench.measures}`);
    return;
  }
  const rounds = roundsAsked();
  const build = await thisBuild();
  const other = options.against === undefined ? undefined : await buildOf(options.against);
  const run: RunRecord = {
    kind: 'run',
    date: new Date().toISOString(),
    mode: options.quick ? 'quick' : 'full',
    ...{ build, ...(other && { against: other.facts }) },
    machine: machineFacts(),
    versions: await versions(),
  };
  await mkdir(outFolder, { recursive: true });
  await mkdir(CACHE, { recursive: true });
  const mode = other ? 'against' : run.mode;
  const file = path.join(outFolder, `${run.date.replaceAll(':', '-')}-${mode}.jsonl`);
  const out = createWriteStream(file);
  const write = (record: BenchRecord) => out.write(`${JSON.stringify(record)}\n`);
  write(run);
  console.log(heading(run));
  const startedAt = performance.now();
  const results: CaseResult[] = [];
  for (const again of options.twice ? ['', ', again'] : ['']) {
    for (const found of wanted) {
      const o = {
        quick: options.quick,
        rounds,
        root: ROOT,
        otherRoot: other?.root,
        cache: CACHE,
        commit: build.commit,
      };
      const measured = await measureCase(found, o);
      const records = measured.map((record) => ({ ...record, case: `${record.case}${again}` }));
      results.push(...records);
      records.forEach(write);
      console.log(linesOf(records).join('\n'));
    }
  }
  await new Promise((resolve) => out.end(resolve));
  await removeLeft();
  console.log(`${summary(results, (performance.now() - startedAt) / 1_000)}; ${path.relative('.', file)}`);
  const failures = results.filter(({ kind }) => kind === 'failed');
  if (failures.length > 0) {
    console.log(linesOf(failures).join('\n'));
    process.exitCode = 1;
  }
}

let closing: Promise<unknown> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // It may come twice, from the terminal and from npm.
  process.on(signal, () => {
    closing ??= closeAll().then(() => process.exit(130));
  });
}
await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
