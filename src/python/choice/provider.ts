import { meets, parseSpecifiers, parseVersion, type Specifier } from '../../package/pep440.js';
import type { Requirement } from '../../package/types.js';
import { wheelAt } from '../../package/requirements.js';
import { normalizeProjectName } from '../../package/wheel-name.js';
import type { Matches, Provider, Reached } from './backtracking.js';
import type { Candidate, Candidates, ChoiceEnvironment, Limit, NamedWheel, Template } from './candidates.js';
import { NoChoice } from './no-choice.js';

/** What one line asks for. */
export type Demand =
  | {
      kind: 'project';
      identifier: string;
      extras: readonly string[];
      specifiers: readonly Specifier[];
      text: string;
      template: Template;
    }
  | { kind: 'candidate'; identifier: string; candidate: Candidate }
  | { kind: 'python'; identifier: string; specifiers: readonly Specifier[]; text: string }
  | { kind: 'nothing'; identifier: string; text: string };

/** No project has this name. */
export const PYTHON = '<Python>';
/** How often a project must have been without a pin in a dead end to be taken up before others. */
const OFTEN = 5;

type State = Reached<Demand, Candidate>;

/** Answers the search as pip's resolver does: what wheels ask for, which of them meet it, and what comes first. */
export class WheelProvider implements Provider<Demand, Candidate> {
  readonly #candidates: Candidates;
  readonly #limits: ReadonlyMap<string, Limit>;
  readonly #requiresHashes: boolean;
  readonly #python: Candidate;
  /** Place of each project among the requirements. */
  readonly #places = new Map<string, number>();
  readonly #deadEnds = new Map<string, number>();
  readonly #specifiers = new Map<string, Specifier[]>();

  constructor(
    candidates: Candidates,
    { pythonVersion }: ChoiceEnvironment,
    o: { constraints: readonly Requirement[]; requiresHashes: boolean },
  ) {
    this.#candidates = candidates;
    this.#requiresHashes = o.requiresHashes;
    this.#limits = this.#limitsOf(o.constraints);
    const version = parseVersion(pythonVersion);
    if (!version) throw new NoChoice('python', `Python ${pythonVersion} has no version that can be compared`);
    this.#python = { identifier: PYTHON, project: PYTHON, version, extras: [] };
  }

  /** Names that constraints limit. */
  get limited(): ReadonlyMap<string, Limit> {
    return this.#limits;
  }

  isMetByPython(demand: Demand): boolean {
    return this.isSatisfiedBy(demand, this.#python);
  }

  /** What the lines of the requirements ask for; those with extras last, so that what limits their project is known. */
  roots(requirements: readonly Requirement[]): Demand[] {
    const demands: Demand[] = [];
    for (const [place, requirement] of requirements.entries()) {
      if (!this.#candidates.isMet(requirement)) continue;
      const { text, name, extras, specifier, hashes } = requirement;
      const template = { writtenName: writtenNameOf(text), isRoot: true, hashes };
      const wheel = namedIn(requirement);
      const found = [...this.#demandsOf({ text, project: name, extras, specifier, wheel }, template)];
      const [first] = found;
      if (first && !this.#places.has(first.identifier)) this.#places.set(first.identifier, place);
      demands.push(...found);
    }
    const hasExtras = (one: Demand) => Number(one.identifier.includes('['));
    return demands.sort((a, b) => hasExtras(a) - hasExtras(b));
  }

  identify(item: Demand | Candidate): string {
    return item.identifier;
  }

  findMatches(
    identifier: string,
    requirementsOf: (identifier: string) => readonly Demand[],
    incompatible: readonly Candidate[],
  ): Matches<Candidate> {
    const demands = requirementsOf(identifier);
    const [project = ''] = identifier.split('[', 1);
    const own = identifier === project ? [] : requirementsOf(project);
    const explicit = new Set(demands.flatMap((demand) => this.#explicit(demand)));
    const extras = identifier === project ? [] : identifier.slice(project.length + 1, -1).split(',');
    for (const candidate of own.flatMap((demand) => this.#explicit(demand))) {
      explicit.add(this.#candidates.withExtras(candidate.base ?? candidate, extras));
    }
    const asked = [...demands, ...own].filter((demand) => demand.kind === 'project');
    const limit = this.#limits.get(identifier) ?? this.#limits.get(project);
    const [first] = asked;
    for (const wheel of first ? (limit?.wheels ?? []) : []) {
      const candidate = first && this.#ofLimit(wheel, first.template);
      if (candidate === 'unsupported') return matchesOf([]);
      if (candidate)
        explicit.add(extras.length === 0 ? candidate : this.#candidates.withExtras(candidate, extras));
    }
    if (explicit.size > 0) {
      const satisfying = [...explicit].filter(
        (candidate) =>
          !incompatible.includes(candidate) &&
          isWithin(candidate, limit) &&
          demands.every((demand) => this.isSatisfiedBy(demand, candidate)),
      );
      return matchesOf(satisfying);
    }
    if (!first) return matchesOf([]);
    const { template } = first;
    const hashes = template.hashes.length > 0 ? template.hashes : (limit?.hashes ?? []);
    return this.#candidates.find(project, {
      specifiers: [...(limit?.specifiers ?? []), ...asked.flatMap(({ specifiers }) => specifiers)],
      template: { ...template, hashes },
      extras: [...new Set(asked.flatMap((demand) => demand.extras))].sort(),
      incompatible,
    });
  }

  isSatisfiedBy(demand: Demand, candidate: Candidate): boolean {
    switch (demand.kind) {
      case 'candidate':
        return demand.candidate === candidate;
      case 'nothing':
        return false;
      default:
        return demand.specifiers.every((specifier) => meets(candidate.version, specifier));
    }
  }

  *dependenciesOf(candidate: Candidate): Generator<Demand, void> {
    const { base, source } = candidate;
    if (base) yield { kind: 'candidate', identifier: base.identifier, candidate: base };
    const wanted = source?.metadata?.requiresPython;
    const specifiers = wanted === undefined ? [] : this.#specifiersOf(wanted);
    if (wanted !== undefined && specifiers.length > 0)
      yield { kind: 'python', identifier: PYTHON, specifiers, text: wanted };
    for (const dependency of this.#candidates.dependenciesOf(candidate)) {
      const { name, extras, specifier, url, marker: _ } = dependency;
      const project = normalizeProjectName(name);
      const found = url === undefined ? undefined : wheelAt(url, project);
      const text = `${name}${extras.length > 0 ? `[${extras.join(',')}]` : ''}${url === undefined ? specifier : ` @ ${url}`}`;
      if (url !== undefined && !found) {
        const by = (base ?? candidate).source?.wheel.file ?? candidate.project;
        throw new NoChoice('outside', `${by} asks for ${text}, which lies outside the package`, {
          requirements: [text],
        });
      }
      // pip trusts the hash of a URL only where it is one of the requirements.
      const hashes = found && !this.#requiresHashes ? [found.hash] : [];
      const normal = extras.map(normalizeProjectName);
      yield* this.#demandsOf(
        { text, project, extras: normal, specifier, wheel: found },
        { writtenName: name, isRoot: false, hashes },
      );
    }
  }

  next(identifiers: readonly string[], { pins, criteria, conflict }: State): string {
    const concerned = new Set<string>();
    for (const { requirement, parent } of conflict) {
      for (const name of [requirement.identifier, ...(parent ? [parent.identifier] : [])]) {
        concerned.add(name);
        if (!pins.has(name)) this.#deadEnds.set(name, (this.#deadEnds.get(name) ?? 0) + 1);
      }
    }
    if (identifiers.includes(PYTHON)) return PYTHON;
    const isOften = (name: string) => (this.#deadEnds.get(name) ?? 0) >= OFTEN;
    const nearest = [
      identifiers.filter((name) => concerned.has(name)),
      identifiers.filter(isOften),
      identifiers,
    ];
    const narrowed = nearest.find((names) => names.length > 0) ?? identifiers;
    const keys = new Map<string, number[]>();
    const keyOf = (name: string) => {
      const key = keys.get(name) ?? [Number(!isOften(name)), ...this.#urgency(name, criteria)];
      keys.set(name, key);
      return key;
    };
    return narrowed.reduce((best, name) =>
      narrowed.length > 1 && isBefore(keyOf(name), name, keyOf(best), best) ? name : best,
    );
  }

  /** Lower is sooner: wheels that are named, pinned versions, upper limits, the order of the requirements, any limit. */
  #urgency(identifier: string, criteria: State['criteria']): number[] {
    const demands = (criteria.get(identifier)?.causes ?? []).map(({ requirement }) => requirement);
    const specifiers = demands.flatMap((demand) => (demand.kind === 'project' ? demand.specifiers : []));
    const isSeries = ({ text, hasWildcard }: Specifier) => hasWildcard || text.includes('*');
    const isPinned = specifiers.some((one) => one.operator.startsWith('==') && !isSeries(one));
    const isLimited = specifiers.some(
      (one) => ['<', '<=', '~='].includes(one.operator) || (one.operator === '==' && isSeries(one)),
    );
    return [
      Number(!demands.some(({ kind }) => kind === 'candidate')),
      Number(!isPinned),
      Number(!isLimited),
      this.#places.get(identifier) ?? Infinity,
      Number(specifiers.length === 0),
    ];
  }

  *#demandsOf(
    o: {
      text: string;
      project: string;
      extras: readonly string[];
      specifier: string;
      wheel: NamedWheel | undefined;
    },
    template: Template,
  ): Generator<Demand, void> {
    const { text, project, extras } = o;
    const withExtras = extras.length === 0 ? project : `${project}[${[...new Set(extras)].sort().join(',')}]`;
    if (o.wheel !== undefined) {
      const candidate = this.#candidates.named(o.wheel, template);
      if (!candidate) yield { kind: 'nothing', identifier: project, text };
      else {
        yield { kind: 'candidate', identifier: project, candidate };
        if (extras.length > 0)
          yield {
            kind: 'candidate',
            identifier: withExtras,
            candidate: this.#candidates.withExtras(candidate, extras),
          };
      }
      return;
    }
    const specifiers = this.#specifiersOf(o.specifier);
    const demand = { kind: 'project' as const, specifiers, text, template };
    if (extras.length > 0 && specifiers.length > 0) yield { ...demand, identifier: project, extras: [] };
    yield { ...demand, identifier: withExtras, extras };
  }

  #specifiersOf(text: string): readonly Specifier[] {
    const known = this.#specifiers.get(text) ?? parseSpecifiers(text) ?? [];
    this.#specifiers.set(text, known);
    return known;
  }

  #explicit(demand: Demand): Candidate[] {
    if (demand.kind === 'candidate') return [demand.candidate];
    return demand.kind === 'python' && this.isSatisfiedBy(demand, this.#python) ? [this.#python] : [];
  }

  #ofLimit(wheel: NamedWheel, template: Template): Candidate | 'unsupported' | undefined {
    try {
      return this.#candidates.named(wheel, template);
    } catch (error) {
      if (error instanceof NoChoice && error.kind === 'python') return 'unsupported';
      throw error;
    }
  }

  #limitsOf(constraints: readonly Requirement[]): Map<string, Limit> {
    const limits = new Map<string, Limit>();
    for (const constraint of constraints) {
      const { name, extras, specifier, hashes, text } = constraint;
      const wheel = namedIn(constraint);
      if (extras.length > 0)
        throw new NoChoice('conflict', `constraints cannot have extras: ${text}`, { requirements: [text] });
      if (!this.#candidates.isMet(constraint)) continue;
      const known = limits.get(name);
      const own = wheel === undefined ? hashes : [];
      const both =
        known?.hashes && own.length > 0 ? own.filter((one) => known.hashes?.includes(one)) : undefined;
      limits.set(name, {
        specifiers: [...(known?.specifiers ?? []), ...this.#specifiersOf(specifier)],
        hashes: both ?? (own.length > 0 ? own : known?.hashes),
        wheels: [...(known?.wheels ?? []), ...(wheel === undefined ? [] : [wheel])],
      });
    }
    return limits;
  }
}

function isWithin({ version, source, base }: Candidate, limit: Limit | undefined): boolean {
  if (!limit) return true;
  const file = (base?.source ?? source)?.wheel.file;
  return (
    limit.wheels.every((one) => one.file === file) && limit.specifiers.every((one) => meets(version, one))
  );
}

function matchesOf(candidates: readonly Candidate[]): Matches<Candidate> {
  return Object.assign([...candidates], { isEmpty: candidates.length === 0 });
}

function isBefore(a: readonly number[], nameOfA: string, b: readonly number[], nameOfB: string): boolean {
  const index = a.findIndex((part, at) => part !== b[at]);
  return index === -1 ? nameOfA < nameOfB : (a[index] ?? 0) < (b[index] ?? 0);
}

function namedIn({ wheel: file, hashes: [hash = ''] }: Requirement): NamedWheel | undefined {
  return file === undefined ? undefined : { file, hash };
}

/** The project as a line writes it. */
function writtenNameOf(text: string): string {
  return /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/.exec(text)?.[0] ?? text;
}
