/**
 * Fuzzes the archive reader and the frame codec, guided by coverage: `npm run fuzz:coverage` for an hour,
 * `FUZZ_SECONDS=60` for a minute, `FUZZ_SEED` to repeat a run, `-- archive` for one of them
 * alone. An input that fails is written to `build/`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { fuzz } from './support/coverage-guided.js';
import { TARGETS } from './support/fuzz-targets.js';

const seconds = Number(process.env.FUZZ_SECONDS ?? 3_600);
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

const names = process.argv.slice(2);
const targets = TARGETS.filter(({ name }) => names.length === 0 || names.includes(name));

for (const target of targets) {
  const report = await fuzz(target, { ms: (seconds * 1_000) / targets.length, seed });
  const { runs, corpus, features, failure } = report;
  process.stdout.write(
    `${target.name}: ${runs} inputs, ${corpus} of them new, ${features} blocks and counts (seed ${seed})\n\n`,
  );
  if (!failure) continue;
  const file = `build/fuzz-${target.name}-${seed}.bin`;
  mkdirSync('build', { recursive: true });
  writeFileSync(file, failure.input);
  process.stderr.write(`failed; the input is in ${file}: ${inspect(failure.error)}\n`);
  process.exitCode = 1;
}
