/** Runs one case: every contestant in turn, round by round, so that a noisy moment meets all of them. */
import os from 'node:os';
import { Unavailable, type BenchCase, type Figure } from './case.js';
import { CaseProcess } from './case-process.js';
import { spreadOf, type BarRecord, type CaseResult } from './records.js';
import { median } from './statistics.js';

export interface FoundCase {
  readonly bench: BenchCase;
  /** URL of its module. */
  readonly module: string;
}

export interface MeasureOptions {
  readonly quick: boolean;
  readonly rounds?: number | undefined;
  /** Folder of the build that is measured. */
  readonly root: string;
  /** Folder of the build that it is compared with. */
  readonly otherRoot?: string | undefined;
  readonly cache: string;
  /** Commit of the build, for the record. */
  readonly commit?: string | undefined;
}

type Build = 'this' | 'other';

/** One contestant of one build. */
interface Entrant {
  readonly build: Build;
  readonly contestant: string;
  readonly process: CaseProcess;
  /** By figure. */
  readonly samples: Map<string, number[]>;
  isOut: boolean;
}

const DEFAULT_ROUNDS = 5;
const DEFAULT_LIMIT_SECONDS = 180;

export async function measureCase(found: FoundCase, options: MeasureOptions): Promise<CaseResult[]> {
  const { bench } = found;
  const startedAt = performance.now();
  const date = new Date().toISOString();
  const loadBefore = load();
  const rounds = options.rounds ?? (options.quick ? 1 : (bench.rounds ?? DEFAULT_ROUNDS));
  const measurement = new Measurement(found, options);
  try {
    await measurement.run(rounds);
  } finally {
    await measurement.close();
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const { name, measures } = bench;
  return [
    ...measurement.results(),
    {
      ...{ kind: 'case', case: name, measures, date, seconds, rounds, load: [loadBefore, load()] },
      ...(options.commit !== undefined && { commit: options.commit }),
    },
  ];
}

class Measurement {
  readonly #problems: CaseResult[] = [];
  readonly #processes: CaseProcess[] = [];
  readonly #entrants: Entrant[] = [];
  readonly #bench: BenchCase;

  constructor(
    readonly found: FoundCase,
    readonly options: MeasureOptions,
  ) {
    this.#bench = found.bench;
  }

  async run(rounds: number): Promise<void> {
    const { root, otherRoot, quick } = this.options;
    await this.#enter('this', root);
    if (otherRoot !== undefined) await this.#enter('other', otherRoot);
    for (const entrant of this.#entrants) {
      const { contestant } = entrant;
      await this.#attempt(entrant, () => entrant.process.order({ do: 'open', contestant }));
    }
    if (!quick && this.#bench.warmUp !== false) await this.#round(0, false);
    for (let round = 0; round < rounds; round++) await this.#round(round, true);
    for (const process of this.#processes.filter(({ isOver }) => !isOver)) {
      const build = this.#entrants.find((entrant) => entrant.process === process)?.build ?? 'this';
      await process.order({ do: 'close' }).catch((error: unknown) => this.#note(error, build));
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.close()));
  }

  /** Starts a process for one build and enters its contestants. */
  async #enter(build: Build, root: string): Promise<void> {
    const { bench, module } = this.found;
    const { quick, cache, otherRoot } = this.options;
    const limit = (bench.limitSeconds ?? DEFAULT_LIMIT_SECONDS) * (otherRoot === undefined ? 1 : 2);
    const process = await CaseProcess.start({ module, name: bench.name, root, quick, cache }, limit);
    this.#processes.push(process);
    try {
      const { contestants = [] } = await process.order({ do: 'prepare' });
      const entering = contestants.filter((name) => otherRoot === undefined || name.startsWith('ours'));
      for (const contestant of entering) {
        this.#entrants.push({ build, contestant, process, samples: new Map(), isOut: false });
      }
    } catch (error) {
      this.#note(error, build);
    }
  }

  /** One round of each contestant; who begins changes from round to round. */
  async #round(round: number, counts: boolean): Promise<void> {
    const names = [...new Set(this.#entrants.map(({ contestant }) => contestant))];
    const order = names.map((_, index) => names[(index + round) % names.length]);
    for (const contestant of order) {
      const both = this.#entrants.filter((entrant) => entrant.contestant === contestant);
      for (const entrant of round % 2 === 1 ? both.reverse() : both) {
        await this.#attempt(entrant, async () => {
          const order = { do: 'round', contestant: entrant.contestant } as const;
          const { figures = {} } = await entrant.process.order(order);
          for (const [figure, value] of Object.entries(figures)) {
            if (!(figure in this.#bench.figures)) throw new Error(`the case does not declare ${figure}`);
            if (!Number.isFinite(value)) throw new Error(`${figure} is ${value}, which is no measurement`);
            const samples = entrant.samples.get(figure) ?? [];
            entrant.samples.set(figure, samples);
            if (counts) samples.push(value);
          }
        });
      }
    }
  }

  /** What fails is noted, and the entrant is out. */
  async #attempt(entrant: Entrant, work: () => Promise<unknown>): Promise<void> {
    if (entrant.isOut) return;
    try {
      await work();
    } catch (error) {
      entrant.isOut = true;
      this.#note(error, entrant.build, entrant.contestant);
      if (!entrant.process.isOver) return;
      // The process is gone with all its contestants: that is one fault.
      for (const other of this.#entrants) if (other.process === entrant.process) other.isOut = true;
    }
  }

  #note(error: unknown, build: Build, contestant?: string): void {
    const about = { case: this.#bench.name, ...(contestant !== undefined && { contestant }) };
    const text = error instanceof Error ? error.message : String(error);
    if (error instanceof Unavailable) this.#problems.push({ kind: 'skipped', ...about, reason: text });
    else this.#problems.push({ kind: 'failed', ...about, build, error: text });
  }

  results(): CaseResult[] {
    const { otherRoot, quick } = this.options;
    if (otherRoot !== undefined) return [...this.#pairs(), ...this.#problems];
    const measured = this.#entrants.flatMap(({ contestant, samples }) =>
      [...samples]
        .filter(([, values]) => values.length > 0)
        .map(([figure, values]): CaseResult => ({
          ...{ kind: 'figure', case: this.#bench.name, figure, contestant },
          ...this.#about(figure),
          ...spreadOf(values),
        })),
    );
    return [...measured, ...(quick ? [] : this.#bars()), ...this.#problems];
  }

  #about(figure: string): Required<Figure> {
    const { unit, better = 'lower' } = this.#bench.figures[figure] ?? { unit: '?' };
    return { unit, better };
  }

  #pairs(): CaseResult[] {
    return this.#entrants
      .filter(({ build }) => build === 'this')
      .flatMap((mine) => {
        const theirs = this.#entrants.find((e) => e.build === 'other' && e.contestant === mine.contestant);
        return [...mine.samples].flatMap(([figure, ours]): CaseResult[] => {
          const other = theirs?.samples.get(figure) ?? [];
          const count = Math.min(ours.length, other.length);
          if (count === 0) return [];
          const ratios = ours.slice(0, count).map((value, round) => value / (other[round] ?? NaN));
          const about = { case: this.#bench.name, figure, contestant: mine.contestant };
          const spreads = { ours: spreadOf(ours), other: spreadOf(other) };
          return [
            { kind: 'pair', ...about, ...this.#about(figure), ...spreads, ratios, ratio: median(ratios) },
          ];
        });
      });
  }

  #bars(): BarRecord[] {
    const medianOf = (contestant: string, figure: string) => {
      const samples = this.#entrants.find((entrant) => entrant.contestant === contestant)?.samples;
      const values = samples?.get(figure) ?? [];
      return values.length === 0 ? undefined : median(values);
    };
    return (this.#bench.bars ?? []).flatMap(({ figure, contestant, over, minus, atMost, atLeast }) => {
      const own = medianOf(contestant, figure);
      const reference = over ?? minus;
      const base = reference === undefined ? undefined : medianOf(reference, figure);
      if (own === undefined || (reference !== undefined && base === undefined)) return [];
      const value = over !== undefined ? own / (base ?? NaN) : own - (base ?? 0);
      const unit = over !== undefined ? 'x' : this.#about(figure).unit;
      const relation = over !== undefined ? ` of ${over}` : minus !== undefined ? ` more than ${minus}` : '';
      const limit = atMost !== undefined ? `<= ${round(atMost)}` : `>= ${round(atLeast ?? NaN)}`;
      const pass = value <= (atMost ?? Infinity) && value >= (atLeast ?? -Infinity);
      const about = { case: this.#bench.name, figure, contestant };
      return [{ kind: 'bar', ...about, value, goal: `${limit} ${unit}${relation}`, pass }];
    });
  }
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

function load(): number {
  return Math.round((os.loadavg()[0] ?? 0) * 100) / 100;
}
