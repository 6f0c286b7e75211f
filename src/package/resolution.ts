import type { RunnerError } from '../errors.js';
import { satisfies } from './pep440.js';
import { evaluateMarker, type MarkerEnvironment } from './pep508.js';
import { parseRequirement } from './requirements.js';
import type { Requirement, Wheel } from './types.js';
import type { WheelMetadata } from './wheel-metadata.js';

/** A wheel, and what it says of itself where that could be read. */
export interface KnownWheel {
  wheel: Wheel;
  metadata?: WheelMetadata;
  /** Why it could not be installed, where that is so: a fault of the package only if it is to be installed. */
  fault?: RunnerError;
  /** Rows of its RECORD that are wrong and keep it from nothing, in words that follow the wheel's name. */
  oddities?: readonly string[];
  /** CRC-32 of its files by where they go. */
  owned?: ReadonlyMap<string, number>;
}

/** The environment that wheels must fit; without tags every wheel fits. */
export interface TargetEnvironment {
  tags?: ReadonlySet<string>;
  markers: MarkerEnvironment;
  /** Limits on versions that hold for whatever is required. */
  constraints?: readonly Requirement[];
}

/** A requirement that no wheel of the package meets. */
export interface UnmetRequirement {
  requirement: Requirement;
  /** The wheel that asks for it; undefined for a line of requirements.txt. */
  requiredBy?: string;
  /** Wheels of that project and a fitting version that fit another interpreter only. */
  elsewhere: Wheel[];
  /** Pythons that these ask for in their METADATA, where their tags would fit. */
  requiresPython?: string[];
}

/** Something that is asked for, and who asks. */
interface Demand {
  requirement: Requirement & { url?: string };
  requiredBy?: string;
  extra?: string;
}

/** A hundred times what the largest packages come to; wheels that ask for more are left to pip and its time limit. */
const MOST_CHARACTERS_READ = 20_000_000;

/**
 * The requirements that no wheel can meet in an environment, wheels' own dependencies included. Runs before anything
 * is written. Doubtful requirements are left out: pip decides when the package is installed.
 */
export function findUnmet(
  requirements: readonly Requirement[],
  wheels: readonly KnownWheel[],
  environment: TargetEnvironment,
): UnmetRequirement[] {
  const unmet: UnmetRequirement[] = [];
  const reported = new Set<string>();
  const seen = new Set<string>();
  const byName = groupBy(wheels, ({ wheel }) => wheel.name);
  const limits = groupBy(
    (environment.constraints ?? []).filter((limit) => applies(limit, environment.markers)),
    ({ name }) => name,
  );
  const queue: Demand[] = requirements.map((requirement) => ({ requirement }));
  let charactersRead = 0;
  // Grows while it is gone through.
  for (const { requirement, requiredBy, extra: wantedBy } of queue) {
    if (charactersRead > MOST_CHARACTERS_READ) break;
    if (!applies(requirement, environment.markers, wantedBy)) continue;
    const group = requirement.url === undefined ? (byName.get(requirement.name) ?? []) : [];
    charactersRead += requirement.text.length * (1 + group.length);
    const wanted = [requirement, ...(limits.get(requirement.name) ?? [])];
    const candidates = group.filter(({ wheel }) => wanted.every((limit) => meets(wheel, limit)));
    const fitting = candidates.filter((known) => fits(known, environment));
    if (fitting.length === 0) {
      const key = `${requiredBy ?? ''}\n${requirement.text}`;
      if (!reported.has(key)) {
        const byPython = candidates.filter(({ wheel }) => hasTag(wheel, environment));
        const requiresPython = byPython.flatMap(({ metadata }) => metadata?.requiresPython ?? []);
        const elsewhere = candidates.map(({ wheel }) => wheel);
        unmet.push({
          requirement,
          requiredBy,
          elsewhere,
          ...(requiresPython.length > 0 && { requiresPython }),
        });
      }
      reported.add(key);
      continue;
    }
    // With several versions pip may take any: only what all of them ask for is certain.
    const [only] = fitting;
    if (fitting.length > 1 || !only?.metadata) continue;
    for (const extra of ['', ...requirement.extras]) {
      const key = `${only.wheel.file}[${extra}]`;
      if (seen.has(key)) continue;
      seen.add(key);
      for (const line of only.metadata.requires) {
        charactersRead += line.length;
        const dependency = parseDependency(line);
        if (dependency) queue.push({ requirement: dependency, requiredBy: only.wheel.file, extra });
      }
      if (charactersRead > MOST_CHARACTERS_READ) break;
    }
  }
  return unmet;
}

/** A wheel's dependency. A dependency that names a URL stays in, since no wheel meets it: pip would fetch it from there. */
function parseDependency(line: string): Demand['requirement'] | undefined {
  const dependency = parseRequirement(line);
  if (typeof dependency !== 'string') return dependency;
  const [, head = '', url, marker] = /^([^@;]+)@ *([^ ;]+) *(?:;(.*))?$/s.exec(line.trim()) ?? [];
  const named =
    url === undefined ? undefined : parseRequirement(marker === undefined ? head : `${head};${marker}`);
  return typeof named === 'object' ? { ...named, text: line, url } : undefined;
}

function applies({ marker }: Requirement, markers: MarkerEnvironment, extra = ''): boolean {
  if (marker === undefined) return extra === '';
  const isMet = evaluateMarker(marker, { ...markers, extra });
  // A dependency without the word `extra` was taken when no extra was looked at.
  return (isMet ?? false) && (extra === '' || /\bextra\b/.test(marker));
}

function groupBy<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(nameOf(item));
    if (group) group.push(item);
    else groups.set(nameOf(item), [item]);
  }
  return groups;
}

function meets(wheel: Wheel, { specifier }: Requirement): boolean {
  // Whether a pre-release will do is pip's to say: it takes one when there is nothing else.
  return satisfies(wheel.version, specifier) ?? true;
}

function fits({ wheel, metadata }: KnownWheel, { tags, markers }: TargetEnvironment): boolean {
  const python = markers.python_full_version;
  if (metadata?.requiresPython !== undefined && python !== undefined) {
    if (satisfies(python, metadata.requiresPython) === false) return false;
  }
  return hasTag(wheel, { tags });
}

function hasTag(wheel: Wheel, { tags }: Pick<TargetEnvironment, 'tags'>): boolean {
  return tags === undefined || wheel.tags.some((tag) => tags.has(tag));
}
