/**
 * The search for versions that go together, as pip's resolver makes it (the library resolvelib in it): a project at a time
 * is pinned to its best candidate, and a dead end is left by jumping back to what caused it. In which order projects are
 * taken up and pins are given back decides which of several answers is found, so both are as there.
 */

/** What asks for something, and whatever asks. */
export interface Cause<R, C> {
  readonly requirement: R;
  readonly parent: C | undefined;
}

/** Candidates for one project, best first; looked for anew each time they are gone through. */
export interface Matches<C> extends Iterable<C> {
  readonly isEmpty: boolean;
}

/** What is known of one project at one point of the search. */
export interface Criterion<R, C> {
  readonly candidates: Matches<C>;
  readonly causes: readonly Cause<R, C>[];
  /** Candidates that led into dead ends. */
  readonly incompatible: readonly C[];
}

/** What the search asks about requirements and candidates. */
export interface Provider<R, C> {
  /** Which project a requirement or a candidate is of; one with extras counts as another. */
  identify(item: R | C): string;
  findMatches(
    identifier: string,
    requirementsOf: (identifier: string) => readonly R[],
    incompatible: readonly C[],
  ): Matches<C>;
  isSatisfiedBy(requirement: R, candidate: C): boolean;
  /** Iteration stops at the first dependency with a conflict. May throw: then the search ends. */
  dependenciesOf(candidate: C): Iterable<R>;
  /** Of several projects the one to be pinned next. */
  next(identifiers: readonly string[], state: Reached<R, C>): string;
}

/** How far the search is. */
export interface Reached<R, C> {
  readonly pins: ReadonlyMap<string, C>;
  readonly criteria: ReadonlyMap<string, Criterion<R, C>>;
  /** What the last dead end came from. */
  readonly conflict: readonly Cause<R, C>[];
}

/** What was found. */
export interface Solution<C> {
  /** Of what the requirements lead to, by identifier. */
  readonly pins: ReadonlyMap<string, C>;
  /** Who asks for what, by identifier; undefined stands for the requirements themselves. */
  readonly asks: ReadonlyMap<string | undefined, ReadonlySet<string>>;
}

/** No versions go together; `causes` are what the last dead end came from. */
export class Unsolvable<R, C> extends Error {
  readonly causes: readonly Cause<R, C>[];

  constructor(causes: readonly Cause<R, C>[]) {
    super('no versions go together');
    this.causes = causes;
  }
}

/** The search went on for too long to be of use. */
export class TooManyRounds extends Error {}

/** One requirement left a project without any candidate. */
class Conflict<R, C> extends Error {
  readonly criterion: Criterion<R, C>;

  constructor(criterion: Criterion<R, C>) {
    super('conflict');
    this.criterion = criterion;
  }
}

interface State<R, C> extends Reached<R, C> {
  readonly pins: Map<string, C>;
  readonly criteria: Map<string, Criterion<R, C>>;
  conflict: readonly Cause<R, C>[];
}

/** Share of the rounds that may be spent on jumps further back than is known to be safe. */
const BOLD_SHARE = 0.1;

/** One search. */
export class Backtracking<R, C> {
  readonly #provider: Provider<R, C>;
  readonly #mostRounds: number;
  readonly #pause: () => Promise<void> | undefined;
  #states: State<R, C>[] = [];
  /** Whether jumps may go further back than is known to be safe. */
  #isBold = true;
  /** Where the first such jump started from. */
  #saved: State<R, C>[] | undefined;

  /** `pause` is awaited between steps, where it gives something to wait for: a long search leaves room for others. */
  constructor(
    provider: Provider<R, C>,
    { mostRounds, pause }: { mostRounds: number; pause: () => Promise<void> | undefined },
  ) {
    this.#provider = provider;
    this.#mostRounds = mostRounds;
    this.#pause = pause;
  }

  /**
   * Finds candidates that go together, of what the requirements lead to.
   *
   * @throws Unsolvable, TooManyRounds, and what the provider throws
   */
  async solve(requirements: readonly R[]): Promise<Solution<C>> {
    this.#states = [{ pins: new Map(), criteria: new Map(), conflict: [] }];
    for (const requirement of requirements) {
      try {
        this.#add(this.#state.criteria, requirement, undefined);
      } catch (error) {
        throw error instanceof Conflict ? new Unsolvable(causesOf<R, C>([error as Conflict<R, C>])) : error;
      }
    }
    this.#push();
    let boldUntil: number | undefined;
    for (let round = 0; round < this.#mostRounds; round++) {
      await this.#pause();
      if (this.#isBold && this.#saved) {
        boldUntil ??= round + Math.floor((this.#mostRounds - round) * BOLD_SHARE);
        if (round >= boldUntil) {
          this.#takeBack();
          continue;
        }
      }
      const { criteria } = this.#state;
      const open = [...criteria.keys()].filter((name) => !this.#isPinned(name));
      const [only, other] = open;
      if (only === undefined) return this.#reached();
      const name = other === undefined ? only : this.#provider.next(open, this.#state);
      const settled = [...criteria.keys()].filter((one) => !open.includes(one));
      const conflicts = await this.#pin(name);
      if (!conflicts) {
        this.#dropStale(settled);
        this.#push();
      } else this.#leave(causesOf(conflicts));
    }
    throw new TooManyRounds();
  }

  get #state(): State<R, C> {
    const state = this.#states.at(-1);
    if (!state) throw new Unsolvable<R, C>([]);
    return state;
  }

  #push(): void {
    this.#states.push(copyOf(this.#state));
  }

  /** Adds a requirement; a project that has no candidate then is a conflict. */
  #add(criteria: Map<string, Criterion<R, C>>, requirement: R, parent: C | undefined): void {
    const identifier = this.#provider.identify(requirement);
    const known = criteria.get(identifier);
    const causes = [...(known?.causes ?? []), { requirement, parent }];
    const incompatible = known?.incompatible ?? [];
    const requirementsOf = (name: string) =>
      (name === identifier ? causes : (criteria.get(name)?.causes ?? [])).map((cause) => cause.requirement);
    const candidates = this.#provider.findMatches(identifier, requirementsOf, incompatible);
    const criterion = { candidates, causes, incompatible };
    if (candidates.isEmpty) throw new Conflict(criterion);
    criteria.set(identifier, criterion);
  }

  #isPinned(name: string): boolean {
    const { pins, criteria } = this.#state;
    const pin = pins.get(name);
    if (pin === undefined) return false;
    return (criteria.get(name)?.causes ?? []).every(({ requirement }) =>
      this.#provider.isSatisfiedBy(requirement, pin),
    );
  }

  /** Pins the first candidate that brings no conflict. @returns the conflicts, where each brings one */
  async #pin(name: string): Promise<Conflict<R, C>[] | undefined> {
    const { pins, criteria } = this.#state;
    const conflicts: Conflict<R, C>[] = [];
    const { candidates = [], causes = [] } = criteria.get(name) ?? {};
    for (const candidate of candidates) {
      await this.#pause();
      const tried = new Map(criteria);
      try {
        for (const requirement of this.#provider.dependenciesOf(candidate)) {
          this.#add(tried, requirement, candidate);
          const pause = this.#pause();
          if (pause) await pause;
        }
      } catch (error) {
        if (!(error instanceof Conflict)) throw error;
        conflicts.push(error as Conflict<R, C>);
        continue;
      }
      // Nothing meets a requirement of a wheel that is of another project than its URL says. A pin that does not hold
      // would be made again in each round.
      if (!causes.every(({ requirement }) => this.#provider.isSatisfiedBy(requirement, candidate)))
        throw new Unsolvable(causes);
      for (const [identifier, criterion] of tried) criteria.set(identifier, criterion);
      // At the end, where the last pin is looked for.
      pins.delete(name);
      pins.set(name, candidate);
      return undefined;
    }
    return conflicts;
  }

  /** What a pin that does not hold any more has asked for is asked for no more. */
  #dropStale(settled: readonly string[]): void {
    const { criteria } = this.#state;
    const stale = new Set(settled.filter((name) => !this.#isPinned(name)));
    if (stale.size === 0) return;
    for (const [name, criterion] of criteria) {
      const causes = criterion.causes.filter(
        ({ parent }) => parent === undefined || !stale.has(this.#provider.identify(parent)),
      );
      criteria.set(name, { ...criterion, causes });
    }
  }

  /** Leaves a dead end. */
  #leave(causes: readonly Cause<R, C>[]): void {
    let isLeft = false;
    try {
      isLeft = this.#jumpBack(causes);
    } catch (error) {
      if (!(error instanceof Unsolvable) || !this.#isBold || !this.#saved) throw error;
    }
    if (isLeft) this.#state.conflict = causes;
    else if (this.#isBold && this.#saved) this.#takeBack();
    else throw new Unsolvable(causes);
  }

  /**
   * Goes back to the pin that a conflict may come from, and marks it as incompatible there. Boldly it passes over pins
   * that have nothing to do with it, until that has led nowhere.
   */
  #jumpBack(causes: readonly Cause<R, C>[]): boolean {
    const concerned = new Set(
      [
        ...causes.flatMap(({ parent }) => (parent === undefined ? [] : [parent])),
        ...causes.map((one) => one.requirement),
      ].map((item) => this.#provider.identify(item)),
    );
    while (this.#states.length >= 3) {
      this.#states.pop();
      const { broken, name, candidate } = this.#lastRelated(concerned, causes);
      const incompatible: [string, C[]][] = [...broken.criteria].map(([one, criterion]) => [
        one,
        [...criterion.incompatible],
      ]);
      incompatible.push([name, [candidate]]);
      this.#push();
      if (this.#exclude(incompatible)) return true;
    }
    return false;
  }

  /** Takes states off, down to one whose last pin asks for something of the conflict. */
  #lastRelated(
    concerned: ReadonlySet<string>,
    causes: readonly Cause<R, C>[],
  ): { broken: State<R, C>; name: string; candidate: C } {
    for (;;) {
      const broken = this.#states.at(-1);
      const [name, candidate] = [...(broken?.pins ?? [])].at(-1) ?? [];
      if (!broken || name === undefined || candidate === undefined) throw new Unsolvable(causes);
      const isConcerned = concerned.has(name);
      this.#states.pop();
      broken.pins.delete(name);
      if (this.#isBold && !isConcerned) this.#saved ??= this.#states.map(copyOf);
      const found = { broken, name, candidate };
      if (!this.#isBold && !isConcerned) return found;
      const asksFor = [...this.#provider.dependenciesOf(candidate)].map((one) =>
        this.#provider.identify(one),
      );
      if (asksFor.some((one) => concerned.has(one)) || broken.pins.size === 0) return found;
      if (this.#states.length <= 1) throw new Unsolvable(causes);
    }
  }

  /** Marks candidates as incompatible. @returns whether each project has one left */
  #exclude(incompatible: readonly [string, C[]][]): boolean {
    const { criteria } = this.#state;
    const requirementsOf = (name: string) =>
      (criteria.get(name)?.causes ?? []).map((cause) => cause.requirement);
    for (const [name, candidates] of incompatible) {
      const criterion = criteria.get(name);
      if (candidates.length === 0 || !criterion) continue;
      const excluded = [...new Set([...candidates, ...criterion.incompatible])];
      const left = this.#provider.findMatches(name, requirementsOf, excluded);
      if (left.isEmpty) return false;
      criteria.set(name, { ...criterion, candidates: left, incompatible: excluded });
    }
    return true;
  }

  /** Goes back to where the first bold jump started, and is careful from then on. */
  #takeBack(): void {
    this.#isBold = false;
    if (this.#saved) this.#states = this.#saved;
    this.#saved = undefined;
  }

  /** The pins that the requirements still lead to. */
  #reached(): Solution<C> {
    const { pins, criteria } = this.#state;
    const nameOf = new Map([...pins].map(([name, candidate]) => [candidate, name]));
    const askedBy = new Map<string, Set<string | undefined>>();
    const asksFor = new Map<string | undefined, string[]>();
    for (const [name, { causes }] of criteria) {
      for (const { parent } of causes) {
        const by = parent === undefined ? undefined : nameOf.get(parent);
        if (parent !== undefined && by === undefined) continue;
        asksFor.set(by, [...(asksFor.get(by) ?? []), name]);
        askedBy.set(name, (askedBy.get(name) ?? new Set()).add(by));
      }
    }
    const reached = new Set(asksFor.get(undefined));
    for (const name of reached) for (const other of asksFor.get(name) ?? []) reached.add(other);
    const asks = new Map<string | undefined, Set<string>>([[undefined, new Set()]]);
    for (const name of reached) {
      if (!asks.has(name)) asks.set(name, new Set());
      for (const by of askedBy.get(name) ?? []) asks.set(by, (asks.get(by) ?? new Set()).add(name));
    }
    return { pins: new Map([...pins].filter(([name]) => reached.has(name))), asks };
  }
}

function copyOf<R, C>({ pins, criteria, conflict }: State<R, C>): State<R, C> {
  return { pins: new Map(pins), criteria: new Map(criteria), conflict };
}

/** Each cause once. */
function causesOf<R, C>(conflicts: readonly Conflict<R, C>[]): Cause<R, C>[] {
  return [...new Set(conflicts.flatMap(({ criterion }) => criterion.causes))];
}
