import { RunnerError } from '../errors.js';
import type { ImageInput } from '../frames/types.js';
import type { VersionRef } from '../package/types.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import { BESIDE_LINE } from '../supervisor/calls/beside-line.js';
import type { InspectionRequest, InspectionResult } from '../supervisor/types.js';
import type { InspectCallOptions, RunnerParts } from './types.js';

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
  let first: InspectionResult | undefined;
  try {
    first = await supervisor.preExecute({ ...request, session }, { signal });
  } catch (error) {
    // The id was moved to an execute-only version between the look and the call.
    if (!RunnerError.is(error, 'unsupported_phase')) throw error;
  }
  if (first?.status === 'ERROR') return first;
  const leftMs = timeoutMs === undefined ? undefined : timeoutMs - (performance.now() - startedAt);
  return supervisor.execute(
    { ...request, session, timeoutMs: leftMs === undefined ? undefined : Math.max(1, leftMs) },
    { signal },
  );
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
