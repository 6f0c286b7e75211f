import { Session, type Profiler } from 'node:inspector';

/** What is fuzzed: every input ends without a throw, or throws because a law is broken. */
export interface Target {
  name: string;
  /** Part of the URLs of the scripts whose coverage guides. */
  scripts: string;
  seeds: () => Promise<Buffer[]>;
  run: (input: Buffer, random: Random) => Promise<void>;
}

/** How long to go on: until the time has passed, or so many inputs were tried. */
export interface Budget {
  ms?: number;
  runs?: number;
  seed: number;
}

/** What came of it. */
export interface FuzzReport {
  runs: number;
  /** Inputs that reached something new, the seeds included. */
  corpus: number;
  /** Blocks of code times how often they were entered, in steps of two. */
  features: number;
  failure?: { error: unknown; input: Buffer };
}

/** A number in [0, below), whole. */
export type Random = (below: number) => number;

/** Deterministic (mulberry32): a seed repeats a run. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % Math.max(1, below);
  };
}

/** The longest that one input may compute: on a busy machine, or one that is put to sleep, the clock tells nothing. */
const LONGEST_RUN_MS = 5_000;

/** Inputs between two looks at the counts, which take longer than an input. */
const BATCH = 16;

/** Inputs longer than this teach nothing that shorter ones do not. */
const MOST_BYTES = 16_384;

/**
 * Fuzzes guided by coverage: an input that enters a block of code that none did before, or enters it more often by a
 * step, is kept and changed further. V8 counts the blocks (precise coverage of node:inspector), so nothing is to be
 * compiled in, and it runs wherever Node does.
 */
export async function fuzz(
  target: Target,
  { ms = Infinity, runs = Infinity, seed }: Budget,
): Promise<FuzzReport> {
  const random = randomFrom(seed);
  const counters = new Counters(target.scripts);
  const corpus: Buffer[] = [];
  const report: FuzzReport = { runs: 0, corpus: 0, features: 0 };
  const started = performance.now();
  const waiting = await target.seeds();
  try {
    while (report.runs < runs && performance.now() - started < ms) {
      const isSeed = waiting.length > 0;
      const batch = isSeed
        ? waiting.splice(0, 1)
        : Array.from({ length: Math.min(BATCH, runs - report.runs) }, () => mutated(corpus, random));
      const failure = await runAll(target, batch, random);
      if (failure) return { ...report, failure };
      report.runs += batch.length;
      if (counters.hasNew()) {
        // Which of them it was is told by running each again, by itself.
        if (isSeed) corpus.push(...batch);
        else
          for (const input of batch)
            if (await counters.reachesMore(target, input, random)) corpus.push(input);
      }
      report.corpus = corpus.length;
      report.features = counters.size;
    }
    return report;
  } finally {
    counters.close();
  }
}

async function runAll(
  target: Target,
  inputs: readonly Buffer[],
  random: Random,
): Promise<FuzzReport['failure']> {
  for (const input of inputs) {
    const from = process.cpuUsage();
    try {
      await target.run(input, random);
      const { user, system } = process.cpuUsage(from);
      const took = (user + system) / 1_000;
      if (took > LONGEST_RUN_MS) throw new Error(`an input of ${input.length} bytes took ${took} ms`);
    } catch (error) {
      return { error, input };
    }
  }
  return undefined;
}

/** What of some scripts was entered so far, told by V8. */
class Counters {
  readonly #session = new Session();
  readonly #seen = new Set<string>();
  readonly #scripts: string;
  /** What the batch before reached that was new. */
  #latest = new Set<string>();

  constructor(scripts: string) {
    this.#scripts = scripts;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  get size(): number {
    return this.#seen.size;
  }

  /** Whether something was entered since the last call that never was before. */
  hasNew(): boolean {
    this.#latest = new Set(this.#entered().filter((feature) => !this.#seen.has(feature)));
    for (const feature of this.#latest) this.#seen.add(feature);
    return this.#latest.size > 0;
  }

  /** Whether an input reaches some of what its batch did; what one has reached counts for no other. */
  async reachesMore(target: Target, input: Buffer, random: Random): Promise<boolean> {
    this.#take();
    await target.run(input, random).catch(() => undefined);
    const reached = this.#entered().filter((feature) => this.#latest.delete(feature));
    return reached.length > 0;
  }

  /** Blocks with their counts, in steps of two, since the last call. */
  #entered(): string[] {
    const features: string[] = [];
    for (const { url, functions } of this.#take()) {
      if (!url.includes(this.#scripts)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count === 0) continue;
          features.push(`${url}:${startOffset}-${endOffset}:${Math.floor(Math.log2(count))}`);
        }
      }
    }
    return features;
  }

  close(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  /** Counts since the last call; the callback is called before post() returns. */
  #take(): Profiler.ScriptCoverage[] {
    let taken: Profiler.ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error) throw error;
      taken = result;
    });
    return taken;
  }
}

/** Numbers at which formats change their minds. */
const INTERESTING = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff,
];

function mutated(corpus: readonly Buffer[], random: Random): Buffer {
  const pick = () => corpus[random(corpus.length)] ?? Buffer.alloc(0);
  let input: Buffer = Buffer.from(pick());
  for (let left = 1 + random(6); left > 0; left--) input = step(input, pick, random);
  return input.subarray(0, MOST_BYTES);
}

function step(input: Buffer, pick: () => Buffer, random: Random): Buffer {
  const at = random(input.length + 1);
  const length = 1 + random(32);
  switch (random(8)) {
    case 0: // a bit
      if (at < input.length) input.writeUInt8((input[at] ?? 0) ^ (1 << random(8)), at);
      return input;
    case 1: // a byte
      if (at < input.length) input.writeUInt8(random(256), at);
      return input;
    case 2: // a field of 16 or 32 bits, either way round
    case 3: {
      const value = INTERESTING[random(INTERESTING.length)] ?? 0;
      if (at + 4 > input.length) return input;
      const form = random(3);
      if (form === 0) input.writeUInt16LE(value & 0xffff, at);
      else if (form === 1) input.writeUInt32LE(value, at);
      else input.writeUInt32BE(value, at);
      return input;
    }
    case 4: // without a stretch
      return Buffer.concat([input.subarray(0, at), input.subarray(at + length)]);
    case 5: // a stretch twice
      return Buffer.concat([input.subarray(0, at + length), input.subarray(at)]);
    case 6: {
      // a stretch of another
      const other = pick();
      const from = random(other.length + 1);
      return Buffer.concat([
        input.subarray(0, at),
        other.subarray(from, from + length * 4),
        input.subarray(at),
      ]);
    }
    default: {
      // the front of one and the end of another
      const other = pick();
      return Buffer.concat([input.subarray(0, at), other.subarray(random(other.length + 1))]);
    }
  }
}
