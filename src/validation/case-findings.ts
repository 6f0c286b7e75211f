import type { BoundaryCase } from '../package/types.js';
import { boundaryCases } from './boundary-cases.js';

/** A line of a probe's findings about a boundary case, not yet looked at (see boundary_cases.py). */
export type CaseLine = Partial<Record<'case' | 'begun' | 'result' | 'message' | 'cases_done', unknown>>;

/**
 * What came of the boundary cases of a trial run. A case in which the process ended is a fault of that case; those after it
 * are left out.
 *
 * @param ending - how the process ended, for people
 * @returns undefined when it came to none
 */
export function casesFrom(lines: readonly CaseLine[], ending: string): BoundaryCase[] | undefined {
  const known = boundaryCases();
  const found = new Map<number, BoundaryCase>();
  let begun: { number: number; what: string } | undefined;
  for (const { case: number, begun: what, result, message } of lines) {
    const about = typeof number === 'number' ? known[number] : undefined;
    if (!about) continue;
    if (typeof what === 'string') begun = { number: about.number, what };
    if (result !== 'PASS' && result !== 'FAIL' && result !== 'SKIP') continue;
    found.set(about.number, { ...about, result, message: typeof message === 'string' ? message : '' });
  }
  const isCut = !lines.some((line) => line.cases_done === true);
  const about = begun && known[begun.number];
  if (isCut && begun && about && !found.has(begun.number)) {
    found.set(begun.number, { ...about, result: 'FAIL', message: `${begun.what}: the algorithm ${ending}` });
  }
  return found.size === 0 ? undefined : [...found.values()].sort((a, b) => a.number - b.number);
}

/** A case that is not handled, in one line. */
export function caseFault({ number, title, message }: BoundaryCase): string {
  return `boundary case ${number} (${title}): ${message}`;
}
