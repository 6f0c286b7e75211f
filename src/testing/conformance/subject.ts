import { RunnerError } from '../../errors.js';
import { FramePool } from '../../frames/frame-pool.js';
import type { ImageInput } from '../../frames/types.js';
import type { StepParameter } from '../../package/types.js';
import type { PictureSize } from '../../parameters/value-rules.js';
import type { Registry } from '../../registry/registry.js';
import type { RegistryEntry } from '../../registry/types.js';
import { resolvePolicy, type SupervisorPolicy } from '../../supervisor/policy.js';
import { workerSpecOf } from '../../supervisor/pool/worker-spec.js';
import type { WorkerFlavour, WorkerSpec } from '../../worker/types.js';
import { ordinaryValues } from './parameter-values.js';
import type { ConformanceOptions } from './types.js';

/** Size of the pictures where none is given: small, so that a call costs the time of the algorithm alone. */
const DEFAULT_SIZE = { width: 64, height: 48 };

/** The version under test, and how it is called. */
export interface Subject {
  registry: Registry;
  entry: RegistryEntry;
  worker: WorkerFlavour;
  policy: Readonly<SupervisorPolicy>;
  /** Of the pictures that a worker is called with directly. */
  frames: FramePool;
  spec: WorkerSpec;
  /** Picture of an ordinary call. */
  image: ImageInput;
  /** Its size in pixels. */
  size: PictureSize;
  stepIndex: number;
  stepDesc: string;
  /** That the step declares. */
  params: readonly StepParameter[];
  /** Of an ordinary call. */
  userParams: Record<string, unknown>;
  /** Supported by the version; undefined when it supports any. */
  productId: string | undefined;
  isPhased: boolean;
  isStrict: boolean;
  options: ConformanceOptions;
}

/** Finds the version, and prepares an ordinary call. @throws RunnerError `not_found`, `invalid_params`, `invalid_image` */
export async function openSubject(
  registry: Registry,
  { name, version }: { name: string; version: string },
  options: ConformanceOptions,
): Promise<Subject> {
  const entry = await registry.get(name, version);
  if (!entry) {
    throw new RunnerError(
      'not_found',
      `${name} ${version} is not deployed in this store: install it before conformance() is called`,
      { details: { name, version } },
    );
  }
  const { worker = 'sdk', image = pictureOf(DEFAULT_SIZE, gradient) } = options;
  const policy = resolvePolicy(options.policy);
  const { steps } = await registry.parameters(name, version);
  const stepIndex = options.stepIndex ?? steps[0]?.index ?? 1;
  const frames = new FramePool();
  try {
    const sent = await frames.send(image, { signal: options.signal });
    sent.done();
    const size = { width: sent.meta.width, height: sent.meta.height };
    const params = steps.find(({ index }) => index === stepIndex)?.params ?? [];
    const frameDirectory = await frames.place(`${name} ${version}`);
    const where = { frameDirectory, flavour: worker, policy, workers: 1 };
    return {
      ...{ registry, entry, worker, policy, frames, image, size, stepIndex, params, options },
      spec: { ...workerSpecOf(registry.layout, entry, where), generation: undefined }, // row 22 tells what it is
      stepDesc: options.stepDesc ?? '',
      userParams: options.userParams ?? ordinaryValues(params, size),
      productId: entry.supported_pids[0],
      isPhased: entry.generation === 'phased',
      isStrict: options.strict === true,
    };
  } catch (error) {
    await frames.close();
    throw error;
  }
}

/** A picture in RGB; `byteAt` gives each byte. */
export function pictureOf(
  { width, height }: PictureSize,
  byteAt: (index: number, width: number) => number,
): ImageInput {
  return {
    data: Uint8Array.from({ length: width * height * 3 }, (_, at) => byteAt(at, width)),
    width,
    height,
  };
}

/** Brighter from left to right, each channel in its own way. */
function gradient(at: number, width: number): number {
  return ((Math.floor(at / 3) % width) * (1 + (at % 3))) % 256;
}

/** Every byte by chance, the same in each run. */
export function noise(at: number): number {
  return (Math.imul(at + 1, 2654435761) >>> 24) & 255;
}
