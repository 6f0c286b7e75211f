/**
 * Mutation tests of the modules that decide: does a test fail when one operator, condition, number, string or statement
 * of them is another?
 *
 *     tsx test/mutation/run.ts [NAME…] [--write]
 *
 * `--write` renews test/mutation.md. Exits with 1 where less than 95 % of those are killed that change something, or a
 * survivor has no reason in survivors.ts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { instrument, type Mutant } from './mutants.js';
import type { Note } from './runner.js';
import { EQUIVALENT } from './survivors.js';
import { TARGETS, type Target } from './targets.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONFIG = fileURLToPath(new URL('vitest.config.ts', import.meta.url));
const VITEST = path.join(ROOT, 'node_modules/vitest/vitest.mjs');

const RESULTS = fileURLToPath(new URL('results.json', import.meta.url));
const REPORT = fileURLToPath(new URL('../mutation.md', import.meta.url));

/** Of the mutants that change something, so many must be killed. */
const LEAST_SHARE = 0.95;

interface Outcome {
  file: string;
  mutants: Mutant[];
  killed: Set<number>;
}

function vitest(file: string, tests: readonly string[], log: string, mutant?: number): boolean {
  const env = { ...process.env, MUTATED_FILE: file, MUTATION_LOG: log };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [VITEST, 'run', '--config', CONFIG, '--root', ROOT, ...tests],
    {
      env: mutant === undefined ? env : { ...env, MUTANT: String(mutant) },
      encoding: 'utf8',
      timeout: 3_600_000,
    },
  );
  if (mutant === undefined && status !== 0) process.stderr.write(stdout + stderr);
  return status === 0;
}

function mutate(file: string, { tests }: Target): Outcome {
  const { mutants } = instrument(file, readFileSync(path.join(ROOT, file), 'utf8'));
  const folder = mkdtempSync(path.join(tmpdir(), 'mutation-'));
  const log = path.join(folder, 'notes.jsonl');
  try {
    if (!vitest(file, tests, log)) throw new Error(`${file}: its tests fail without a mutant`);
    const notes = existsSync(log)
      ? readFileSync(log, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Note)
      : [];
    const killed = new Set(notes.flatMap((one) => (one.kind === 'killed' ? [one.mutant] : [])));
    // What a running process cannot show: each in a run of its own.
    const once = notes.flatMap((one) => (one.kind === 'import' || one.kind === 'once' ? one.mutants : []));
    for (const mutant of new Set(once)) {
      if (!killed.has(mutant) && !vitest(file, tests, log, mutant)) killed.add(mutant);
    }
    return { file, mutants, killed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A row of the report, as it is kept in results.json. */
interface Result {
  target: string;
  file: string;
  mutants: number;
  killed: number;
  survivors: { line: number; change: string; reason: string }[];
}

/** A change without a reason is open: a test is missing. */
function resultOf(target: Target, { file, mutants, killed }: Outcome): Result {
  const survivors = mutants
    .filter(({ id }) => !killed.has(id))
    .map(({ line, source, from, to }) => {
      const known = EQUIVALENT.find(
        (one) => one.file === file && one.from === from && one.to === to && source.includes(one.source),
      );
      return { line, change: `${from} → ${to}`, reason: known?.reason ?? 'open' };
    });
  return { target: target.name, file, mutants: mutants.length, killed: killed.size, survivors };
}

const isEquivalent = ({ reason }: Result['survivors'][number]) => reason !== 'open';

/** From 0 to 1, of those that could be killed: a mutant that changes nothing cannot. */
function shareOf({ mutants, killed, survivors }: Result): number {
  return killed / (mutants - survivors.filter(isEquivalent).length);
}

function report(results: readonly Result[]): string {
  const rows = results.map(
    (one) =>
      `| ${one.target} | \`${one.file}\` | ${one.mutants} | ${one.killed} | ${one.survivors.filter(isEquivalent).length} | ${(100 * shareOf(one)).toFixed(1)} % |`,
  );
  const measured = new Set(results.map(({ file }) => file));
  for (const { name, files } of TARGETS) {
    for (const file of files)
      if (!measured.has(file)) rows.push(`| ${name} | \`${file}\` | not measured | | | |`);
  }
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const left = results.flatMap(({ file, survivors }) =>
    survivors.map(
      ({ line, change, reason }) =>
        `| \`${path.basename(file)}:${line}\` | \`${cell(change)}\` | ${cell(reason)} |`,
    ),
  );
  return [
    '# Mutation tests',
    '',
    'Each row is a module that decides. One operator, condition, number, string, pattern or statement at a time is another; a',
    'mutant is killed when a test fails with it and passes again without it. `npm run test:mutation -- --write` renews this page.',
    'An equivalent mutant behaves as the source does, for a reason that stands below: no test can tell them apart, so the share',
    'leaves it out. A survivor without a reason counts against it.',
    '',
    '| What | Module | Mutants | Killed | Equivalent | Killed of those that change something |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    '## Survivors',
    '',
    'With the reason why the mutant changes nothing that can be seen; `open` where a test is missing.',
    '',
    '| Where | Change | Why it survives |',
    '| --- | --- | --- |',
    ...left,
    '',
  ].join('\n');
}

const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const isWritten = process.argv.includes('--write');
const kept = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Result[]) : [];
const found = new Map(kept.map((one) => [one.file, one]));
for (const target of TARGETS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  for (const file of target.files) {
    const startedAt = performance.now();
    const result = resultOf(target, mutate(file, target));
    found.set(file, result);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const { killed, mutants, survivors } = result;
    process.stdout.write(`${target.name}: ${file}: ${killed} of ${mutants} killed, ${seconds} s\n`);
    for (const { line, change, reason } of survivors)
      process.stdout.write(`  ${line} ${change}: ${reason}\n`);
    if (shareOf(result) < LEAST_SHARE || !survivors.every(isEquivalent)) process.exitCode = 1;
    if (!isWritten) continue;
    const files = TARGETS.flatMap((one) => one.files);
    const results = files.flatMap((name) => found.get(name) ?? []);
    writeFileSync(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
    writeFileSync(REPORT, report(results));
  }
}
