import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { Test } from '@vitest/runner';
import { TestRunner } from 'vitest';
import { SWITCH } from './mutants.js';

/** What a test run writes down, a line each. */
export type Note =
  | { kind: 'killed'; mutant: number; test: string }
  /** Reached while the module was imported: it must be active from the start to have an effect. */
  | { kind: 'import'; mutants: number[] }
  /** Reached by a test that cannot be run a second time in one process. */
  | { kind: 'once'; test: string; file: string; mutants: number[] };

const LOG = process.env.MUTATION_LOG ?? '';
const FIXED = process.env.MUTANT;

/** A mutant that loops without end passes the switch without end. */
class Runaway extends Error {}

let active = FIXED === undefined ? -1 : Number(FIXED);
let steps = 0;
let mostSteps = FIXED === undefined ? Infinity : 50_000_000;
let reached = new Set<number>();

Object.assign(globalThis, {
  [SWITCH](id: number): boolean {
    if (active === -1) {
      reached.add(id);
      steps++;
      return false;
    }
    if (++steps > mostSteps) throw new Runaway('the mutant does not end');
    return id === active;
  },
});

function note(line: Note): void {
  appendFileSync(LOG, `${JSON.stringify(line)}\n`);
}

function killedSoFar(): Set<number> {
  if (!existsSync(LOG)) return new Set();
  const lines = readFileSync(LOG, 'utf8').trim().split('\n').filter(Boolean);
  const notes = lines.map((line) => JSON.parse(line) as Note);
  return new Set(notes.flatMap((one) => (one.kind === 'killed' ? [one.mutant] : [])));
}

/**
 * Runs each test once as it is, and once more for every living mutant that it reaches. A mutant is killed when the test
 * fails with it, and passes again without it right after.
 */
export default class MutationRunner extends TestRunner {
  #killed: Set<number> | undefined;

  async runTask(test: Test): Promise<void> {
    if (FIXED !== undefined) {
      await TestRunner.getTestFn(test)();
      return;
    }
    if (!this.#killed) note({ kind: 'import', mutants: [...reached] });
    const killed = (this.#killed ??= killedSoFar());
    reached = new Set();
    steps = 0;
    const startedAt = performance.now();
    await TestRunner.getTestFn(test)();
    const limitMs = (performance.now() - startedAt) * 5 + 5_000;
    const baseSteps = steps;
    const mutants = [...reached];
    const alive = mutants.filter((mutant) => !killed.has(mutant));
    if (alive.length === 0) return;
    const noteOnce = () => {
      note({ kind: 'once', test: test.name, file: test.file.name, mutants: alive });
    };
    await cleanUp(test);
    if (!(await passes(test, limitMs))) {
      noteOnce();
      return;
    }
    mostSteps = baseSteps * 20 + 1_000_000;
    for (const mutant of alive) {
      active = mutant;
      steps = 0;
      const isAlive = await passes(test, limitMs);
      active = -1;
      if (isAlive) continue;
      if (!(await passes(test, limitMs)) && !(await passes(test, limitMs))) {
        noteOnce();
        return;
      }
      killed.add(mutant);
      note({ kind: 'killed', mutant, test: `${test.file.name} > ${test.name}` });
    }
  }
}

async function passes(test: Test, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), limitMs)));
  const run = (async () => {
    await TestRunner.getTestFn(test)();
    return true;
  })().catch(() => false);
  try {
    const isPassed = await Promise.race([run, late]);
    return isPassed && test.result?.errors === undefined;
  } finally {
    clearTimeout(timer);
    active = -1;
    await cleanUp(test);
    if (test.result) delete test.result.errors;
  }
}

/** What the test wants to be done at its end, after every round: the next begins without the servers and files of this one. */
async function cleanUp(test: Test): Promise<void> {
  const task = test as Test & { onFinished?: ((context: Test['context']) => unknown)[] | undefined };
  const handlers = task.onFinished ?? [];
  task.onFinished = undefined;
  for (const handler of [...handlers].reverse()) {
    try {
      await handler(test.context);
    } catch {
      // The round has been counted.
    }
  }
}
