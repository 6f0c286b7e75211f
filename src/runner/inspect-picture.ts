import { RunnerError } from '../errors.js';
import type { ImageInput } from '../frames/types.js';
import type { VersionRef } from '../package/types.js';
import type { Registry } from '../registry/registry.js';
import { isSameDeployment } from '../registry/same-deployment.js';
import type { RegistryEntry } from '../registry/types.js';
import { isUnprepared } from '../supervisor/calls/prepared.js';
import { AFTER_PRE, BESIDE_LINE } from '../supervisor/calls/request-mark.js';
import type { InspectionRequest, InspectionResult } from '../supervisor/types.js';
import type { InspectCallOptions, RunnerParts } from './types.js';

/** A product id that is moved more often than that during one inspection is a test, or a fault. */
const MOST_PREPARATIONS = 3;

/** See `Runner.inspect`. `isBesideLine`: a version is judged by it, and no product. */
export async function inspectPicture(
  { registry, supervisor }: Pick<RunnerParts, 'registry' | 'supervisor'>,
  productId: string,
  picture: ImageInput | string,
  { target, stepIndex, userParams, guideImage, timeoutMs, traceparent, signal }: InspectCallOptions,
  isBesideLine = false,
): Promise<InspectionResult> {
  const entry = target
    ? await entryOf(registry, target, signal)
    : await registry.resolve(productId, { signal });
  const request: InspectionRequest = {
    productId,
    target,
    stepIndex: stepIndex ?? entry.step_indexes?.[0] ?? 1,
    image: imageOf(picture),
    guideImage: guideImage === undefined || guideImage === 'same' ? guideImage : imageOf(guideImage),
    userParams,
    timeoutMs,
    traceparent,
    ...(isBesideLine && BESIDE_LINE),
  };
  if (entry.generation === 'execute-only') return supervisor.execute(request, { signal });
  const session = { id: crypto.randomUUID() };
  const startedAt = performance.now();
  /** The limit is for the whole inspection, however often it is prepared. */
  const call = () => ({ ...request, session, timeoutMs: timeoutMs && leftOf(timeoutMs, startedAt) });
  for (let served = entry, attempt = 1; ; attempt++) {
    try {
      const first = await supervisor.preExecute(call(), { signal });
      if (first.status === 'ERROR') return first;
    } catch (error) {
      // The id was moved to an execute-only version between the look and the call.
      if (!RunnerError.is(error, 'unsupported_phase')) throw error;
    }
    // The id may have been moved while it prepared itself: the version that is to execute has not prepared itself then.
    const serves = target ? served : await registry.resolve(productId, { signal });
    if (!isSameDeployment(served, serves) && attempt < MOST_PREPARATIONS) {
      served = serves;
      continue;
    }
    try {
      return await supervisor.execute({ ...call(), ...AFTER_PRE }, { signal });
    } catch (error) {
      // It was moved since, its share was ended, or the worker that had prepared it has left.
      if (!isUnprepared(error)) throw error;
      if (attempt === MOST_PREPARATIONS) throw error.cause instanceof Error ? error.cause : error;
    }
  }
}

/** @throws RunnerError `timeout` when nothing is left */
function leftOf(timeoutMs: number, startedAt: number): number {
  const leftMs = timeoutMs - (performance.now() - startedAt);
  if (leftMs > 0) return leftMs;
  throw new RunnerError('timeout', `The inspection did not end within ${timeoutMs} ms`, {
    details: { timeoutMs },
  });
}

async function entryOf(
  registry: Registry,
  { name, version }: VersionRef,
  signal: AbortSignal | undefined,
): Promise<RegistryEntry> {
  const entry = await registry.get(name, version, { signal });
  if (entry) return entry;
  throw new RunnerError('not_found', `${name} ${version} is not deployed`, { details: { name, version } });
}

function imageOf(picture: ImageInput | string): ImageInput {
  return typeof picture === 'string' ? { file: picture } : picture;
}
