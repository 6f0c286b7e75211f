import path from 'node:path';
import type { OperationOptions } from '../../abort.js';
import type { Interpreter, InterpreterNeed } from '../types.js';
import { candidatesInTurn, interpreterIn, placesLookedAt } from './discovery.js';
import { FactsCache, type Probed, type UnusablePython } from './facts.js';
import { noneFits, refuse, type Refusal } from './select.js';

/** Where an {@link InterpreterFinder} looks, and where it keeps what it learns. */
export interface FinderContext {
  /** Interpreters to use; those of this machine are found when there are none. */
  given: readonly string[] | undefined;
  /** The file that outlives the process, as soon as there is one. */
  memory: () => string | undefined;
}

/**
 * Finds the Pythons of this machine and asks each once what it is. Loaded apart from what makes environments: looking
 * into a package takes no more than this.
 */
export class InterpreterFinder {
  readonly #context: FinderContext;
  readonly #facts = new FactsCache();

  constructor(context: FinderContext) {
    this.#context = context;
  }

  /** What is known of interpreters. */
  get facts(): FactsCache {
    const file = this.#context.memory();
    if (file !== undefined) this.#facts.keepIn(file);
    return this.#facts;
  }

  async interpreters(options: OperationOptions): Promise<Interpreter[]> {
    const found: Interpreter[] = [];
    for await (const probed of this.#probeAll(this.#candidates(options), options)) {
      if (probed.ok) found.push(probed.interpreter);
    }
    return found;
  }

  async *interpretersInTurn(
    options: { onUnusable?: (python: UnusablePython) => void } & OperationOptions,
  ): AsyncGenerator<Interpreter, void, undefined> {
    for await (const probed of this.#probeAll(this.#candidates(options), options, 'in turn')) {
      if (probed.ok) yield probed.interpreter;
      else options.onUnusable?.({ path: probed.path, reason: probed.reason });
    }
  }

  async select(need: InterpreterNeed, options: OperationOptions): Promise<Interpreter> {
    const checked =
      need.compatible === undefined ? undefined : await this.facts.ask(need.compatible, options);
    if (checked?.ok && !refuse(checked, { pythonVersion: need.pythonVersion })) return checked.interpreter;
    const refusals: Refusal[] = [];
    for await (const probed of this.#probeAll(this.#candidates(options, need), options, 'in turn')) {
      const refusal = refuse(probed, need);
      if (!refusal && probed.ok) return probed.interpreter;
      if (refusal) refusals.push(refusal);
    }
    throw noneFits(need, refusals, placesLookedAt({ given: this.#context.given }));
  }

  async *#candidates(
    options: OperationOptions,
    { embedded }: InterpreterNeed = {},
  ): AsyncGenerator<string[]> {
    if (embedded !== undefined) yield [(await interpreterIn(embedded)) ?? path.resolve(embedded)];
    yield* candidatesInTurn({ given: this.#context.given, signal: options.signal });
  }

  /**
   * Asks the candidates of each list in order, two at a time; an installation that was met before is left out. `in turn` asks
   * the first by itself, for it serves as a rule.
   */
  async *#probeAll(
    lists: AsyncIterable<readonly string[]>,
    options: OperationOptions,
    order: 'at once' | 'in turn' = 'at once',
  ): AsyncGenerator<Probed> {
    const seen = new Set<string>();
    for await (const candidates of lists) {
      const asked: Promise<Probed>[] = [];
      for (const index of candidates.keys()) {
        const upTo = order === 'in turn' && index === 0 ? 1 : index + 2;
        for (const ahead of candidates.slice(asked.length, upTo)) {
          const answer = this.facts.ask(ahead, options);
          answer.catch(() => undefined); // thrown when its turn comes, if it comes
          asked.push(answer);
        }
        const probed = await asked[index];
        if (!probed) return;
        const key = probed.ok ? `${probed.facts.prefix}\n${probed.facts.version}` : probed.path;
        if (seen.has(key)) continue;
        seen.add(key);
        yield probed;
      }
    }
  }
}
