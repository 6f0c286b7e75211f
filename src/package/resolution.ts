import { satisfies } from './pep440.js';
import { evaluateMarker, type MarkerEnvironment } from './pep508.js';
import { parseRequirement } from './requirements.js';
import type { Requirement, Wheel } from './types.js';
import type { WheelMetadata } from './wheel-metadata.js';

/** A wheel, and what it says of itself where that could be read. */
export interface KnownWheel {
  wheel: Wheel;
  metadata?: WheelMetadata;
}

/** The environment that wheels are judged for; without tags every wheel fits. */
export interface TargetEnvironment {
  tags?: ReadonlySet<string>;
  markers: MarkerEnvironment;
}

/** A requirement that no wheel of the package meets. */
export interface UnmetRequirement {
  requirement: Requirement;
  /** The wheel that asks for it; undefined for a line of requirements.txt. */
  requiredBy?: string;
  /** Wheels of that project and a fitting version that fit another interpreter only. */
  elsewhere: Wheel[];
}

/**
 * The requirements that no wheel can meet in an environment, wheels' own dependencies included. A judgement before
 * anything is written: where it is in doubt it says nothing, and pip has the last word when the package is installed.
 */
export function findUnmet(
  requirements: readonly Requirement[],
  wheels: readonly KnownWheel[],
  environment: TargetEnvironment,
): UnmetRequirement[] {
  const unmet: UnmetRequirement[] = [];
  const told = new Set<string>();
  const seen = new Set<string>();
  const byName = groupByName(wheels);
  const queue: { requirement: Requirement; requiredBy?: string; extra?: string }[] = requirements.map(
    (requirement) => ({ requirement }),
  );
  // Grows while it is gone through.
  for (const { requirement, requiredBy, extra: wantedBy } of queue) {
    if (!applies(requirement, environment.markers, wantedBy)) continue;
    const candidates = (byName.get(requirement.name) ?? []).filter(({ wheel }) => meets(wheel, requirement));
    const fitting = candidates.filter((known) => fits(known, environment));
    if (fitting.length === 0) {
      const key = `${requiredBy ?? ''}\n${requirement.text}`;
      if (!told.has(key)) {
        unmet.push({ requirement, requiredBy, elsewhere: candidates.map(({ wheel }) => wheel) });
      }
      told.add(key);
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
        const dependency = parseRequirement(line);
        if (typeof dependency === 'string') continue;
        queue.push({ requirement: dependency, requiredBy: only.wheel.file, extra });
      }
    }
  }
  return unmet;
}

function applies({ marker }: Requirement, markers: MarkerEnvironment, extra = ''): boolean {
  if (marker === undefined) return extra === '';
  const holds = evaluateMarker(marker, { ...markers, extra });
  // A dependency without the word `extra` was taken when no extra was looked at.
  return (holds ?? false) && (extra === '' || /\bextra\b/.test(marker));
}

function groupByName(wheels: readonly KnownWheel[]): Map<string, KnownWheel[]> {
  const groups = new Map<string, KnownWheel[]>();
  for (const known of wheels) {
    const group = groups.get(known.wheel.name);
    if (group) group.push(known);
    else groups.set(known.wheel.name, [known]);
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
  return tags === undefined || wheel.tags.some((tag) => tags.has(tag));
}
