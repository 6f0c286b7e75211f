import { throwIfAborted, type OperationOptions } from '../abort.js';
import { asFailure, type RunnerError } from '../errors.js';
import type { VersionRef } from '../package/types.js';
import { isSame } from '../registry/mappings.js';
import type { ActiveMapping } from '../registry/types.js';

/** How to start what is mapped. */
export interface StartActiveOptions extends OperationOptions {
  /** Versions that are started at once; each loads its models and libraries. @defaultValue 2 */
  atOnce?: number;
}

/** A version that was started, or ran already. */
export interface StartedVersion extends VersionRef {
  /** Product ids that it serves. */
  productIds: string[];
  /** Workers that are ready. */
  workers: number;
  /** Wall time in milliseconds. */
  durationMs: number;
}

/** A version that could not be started. */
export interface FailedStart extends VersionRef {
  /** Product ids that nobody serves now. */
  productIds: string[];
  /** Why. */
  error: RunnerError;
}

/** What `startActive()` did. */
export interface StartReport {
  /** Versions that are ready, in the order in which their product ids were mapped. */
  started: StartedVersion[];
  /** Versions that are not, in the same order. */
  failed: FailedStart[];
  /** Wall time in milliseconds. */
  durationMs: number;
}

/**
 * Starts every version that a product id is mapped to: in the order in which they were mapped, at most `atOnce` side by
 * side. A version that cannot start is in the report; the others start all the same.
 *
 * @param start - answers how many workers are ready
 * @throws RunnerError `aborted`
 */
export async function startActive(
  active: Readonly<Record<string, ActiveMapping>>,
  start: (version: VersionRef) => Promise<number>,
  { atOnce = 2, signal }: StartActiveOptions,
): Promise<StartReport> {
  const startedAt = performance.now();
  const versions = inOrder(active);
  const outcomes = new Array<StartedVersion | FailedStart | undefined>(versions.length);
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < versions.length; index = next++) {
      throwIfAborted(signal, 'startActive');
      const { productIds, ...version } = versions[index] as VersionRef & { productIds: string[] };
      const begunAt = performance.now();
      try {
        const workers = await start(version);
        outcomes[index] = { ...version, productIds, workers, durationMs: performance.now() - begunAt };
      } catch (error) {
        throwIfAborted(signal, 'startActive');
        const { name, version: number } = version;
        outcomes[index] = { ...version, productIds, error: asFailure(error, `start ${name} ${number}`) };
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const known = outcomes.filter((outcome) => outcome !== undefined);
  return {
    started: known.flatMap((outcome) => ('error' in outcome ? [] : [outcome])),
    failed: known.flatMap((outcome) => ('error' in outcome ? [outcome] : [])),
    durationMs: performance.now() - startedAt,
  };
}

/** Each version once, with its product ids. By the time of the mapping; of two at once, as the registry lists them. */
export function inOrder(
  active: Readonly<Record<string, ActiveMapping>>,
): (VersionRef & { productIds: string[] })[] {
  const mappings = Object.values(active).sort((a, b) =>
    a.activated_at < b.activated_at ? -1 : Number(a.activated_at > b.activated_at),
  );
  const versions: (VersionRef & { productIds: string[] })[] = [];
  for (const { pid, name, version } of mappings) {
    const known = versions.find((one) => isSame(one, { name, version }));
    if (known) known.productIds.push(pid);
    else versions.push({ name, version, productIds: [pid] });
  }
  return versions;
}
