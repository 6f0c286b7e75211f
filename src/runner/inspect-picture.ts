import { readFile } from 'node:fs/promises';
import { RunnerError } from '../errors.js';
import { readEncodedHeader } from '../frames/encoded-image.js';
import type { ImageInput } from '../frames/types.js';
import type { VersionRef } from '../package/types.js';
import type { Registry } from '../registry/registry.js';
import type { RegistryEntry } from '../registry/types.js';
import type { InspectionRequest, InspectionResult } from '../supervisor/types.js';
import type { InspectCallOptions, RunnerParts } from './types.js';

/** See `Runner.inspect`. */
export async function inspectPicture(
  { registry, supervisor }: RunnerParts,
  productId: string,
  picture: ImageInput | string,
  { target, stepIndex, userParams, guideImage, timeoutMs, signal }: InspectCallOptions,
): Promise<InspectionResult> {
  const entry = target
    ? await entryOf(registry, target, signal)
    : await registry.resolve(productId, { signal });
  const request: InspectionRequest = {
    productId,
    target,
    stepIndex: stepIndex ?? entry.step_indexes?.[0] ?? 1,
    image: await imageOf(picture, signal),
    guideImage:
      guideImage === undefined || guideImage === 'same' ? guideImage : await imageOf(guideImage, signal),
    userParams,
    timeoutMs,
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

async function imageOf(picture: ImageInput | string, signal: AbortSignal | undefined): Promise<ImageInput> {
  if (typeof picture !== 'string') return picture;
  const encoded = await readFile(picture, { signal }).catch((cause: unknown) => {
    if (signal?.aborted)
      throw new RunnerError('aborted', 'The inspection was aborted', { cause: signal.reason });
    throw noPicture(picture, `cannot be read: ${(cause as Error).message}`, cause);
  });
  const header = readEncodedHeader(encoded);
  if ('fault' in header) throw noPicture(picture, header.fault);
  return { encoded, width: header.width, height: header.height };
}

function noPicture(file: string, fault: string, cause?: unknown): RunnerError {
  return new RunnerError('invalid_image', `The picture ${file} ${fault}`, { cause, details: { path: file } });
}
