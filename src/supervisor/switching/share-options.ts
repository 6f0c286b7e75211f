import { RunnerError } from '../../errors.js';
import type { VersionRef } from '../../package/types.js';
import { isSame } from '../../registry/mappings.js';
import type { ActiveMapping } from '../../registry/types.js';
import { resolveProbation, type ProbationPolicy } from './probation.js';
import type { SwitchOrder } from './types.js';

/** Shares of the calls, from the first to the last before the version is mapped. */
export const DEFAULT_STEPS: readonly number[] = Object.freeze([0.1, 0.25, 0.5]);

const CALL = 'supervisor.switch({ share, steps })';

/** The least share that a version can have. */
export const LEAST_SHARE = 0.001;

/** How a version comes up by shares. */
export interface ShareSteps {
  /** The first. */
  share: number;
  /** Those that follow, all below 1. */
  steps: number[];
  /** Of the trial at each. */
  policy: ProbationPolicy;
}

/**
 * The shares of a switch, defaults filled in; undefined where it maps the version at once. Each option was checked by itself.
 *
 * @throws RunnerError `invalid_params`
 */
export function resolveShare({
  share,
  steps,
  probation = {},
}: Pick<SwitchOrder, 'share' | 'steps' | 'probation'>): ShareSteps | undefined {
  if (share === undefined) {
    if (steps === undefined) return undefined;
    throw invalid(
      'share',
      'must be given with steps: it is the share of the calls that the version begins with',
    );
  }
  const [next] = steps ?? [];
  if (next !== undefined && next <= share) {
    throw invalid('steps', `must begin above share (${share}), and begins with ${next}`);
  }
  if (share === 1) return undefined;
  const following = (steps ?? DEFAULT_STEPS).filter((one) => one > share && one < 1);
  return { share, steps: following, policy: resolveProbation(probation) };
}

/**
 * The versions that answer the calls which do not go to the new one, by product id. Ids that the new version serves already
 * have nothing to share out, and are left out.
 *
 * @throws RunnerError `invalid_params` for an id that no version serves
 */
export function basesOf(
  active: Readonly<Record<string, ActiveMapping>>,
  version: VersionRef,
  productIds: readonly string[],
): Map<string, VersionRef> {
  const bases = new Map<string, VersionRef>();
  for (const id of productIds) {
    const mapping = active[id];
    if (!mapping) {
      throw invalid(
        'share',
        `needs a version that answers the other calls, and none serves ${id}: switch it without share`,
        [id],
      );
    }
    if (!isSame(mapping, version)) bases.set(id, { name: mapping.name, version: mapping.version });
  }
  return bases;
}

function invalid(path: string, rule: string, productIds?: string[]): RunnerError {
  return new RunnerError('invalid_params', `${CALL}: ${path} ${rule}`, {
    details: { path, ...(productIds && { productIds }) },
  });
}
