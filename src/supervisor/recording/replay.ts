import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { ImageInput } from '../../frames/types.js';
import { compareAnswers } from '../comparison/comparison.js';
import { ComparisonLog, type ComparisonReport } from '../comparison/comparison-report.js';
import type { InspectionRequest, InspectionResult } from '../types.js';
import { readCall, type RecordedCall, type RecordedImage } from './format.js';
import { readNpy } from '../../frames/npy-reader.js';

/** A recording, and the version it is held against. */
export interface ReplayOptions extends OperationOptions {
  /** Folder of the recording. */
  directory: string;
  /** Package that is to answer. */
  name: string;
  /** Version that is to answer. */
  version: string;
  /** Overlap (intersection over union, 0 to 1) from which two boxes are taken for the same. @defaultValue 0.5 */
  minIou?: number;
  /** After each call. */
  onProgress?: (done: number, total: number) => void;
}

/** Makes one call. */
export type MakeCall = (
  phase: 'pre' | 'execute',
  request: InspectionRequest,
  o: OperationOptions,
) => Promise<InspectionResult>;

/** Failures of the supervisor or of the caller, not of the version. */
const ENDS_REPLAY: ReadonlySet<string> = new Set(['aborted', 'closed', 'not_found', 'not_initialized']);

/**
 * Makes the calls of a recording again, one after the other, at one version, and compares the answers with those that
 * were recorded. Left out are calls that had failed when they were recorded, those of a phase that the version does not
 * have, and those that cannot be read, which the report names.
 *
 * @throws RunnerError `aborted`, `not_found`, `closed`
 */
export async function replayRecording(
  o: ReplayOptions,
  numbers: readonly number[],
  call: MakeCall,
): Promise<ComparisonReport> {
  const { name, version, signal } = o;
  const log = new ComparisonLog('the recording', `${name} ${version}`);
  for (const [index, number] of numbers.entries()) {
    throwIfAborted(signal, 'replay');
    await replayCall(o, number, call, log);
    o.onProgress?.(index + 1, numbers.length);
  }
  return log.report();
}

async function replayCall(
  { directory, name, version, signal, minIou }: ReplayOptions,
  number: number,
  call: MakeCall,
  log: ComparisonLog,
): Promise<void> {
  const id = String(number);
  let recorded: RecordedCall;
  let request: InspectionRequest;
  try {
    recorded = await readCall(directory, number);
    if (!recorded.result) {
      log.skipped();
      return;
    }
    request = await requestOf(directory, recorded, { name, version });
  } catch (error) {
    // Damaged by a power cut, dropped by a recorder that goes on, or forged: that says nothing of the version.
    log.skipped({ id, error: error as RunnerError });
    return;
  }
  const { result: expected, phase } = recorded;
  try {
    const actual = await call(phase, request, { signal });
    const comparison = compareAnswers(expected, actual, minIou);
    log.compared(id, comparison, expected.timing.call_ms, actual.timing.callMs);
  } catch (error) {
    if (!RunnerError.is(error) || ENDS_REPLAY.has(error.code)) throw error;
    if (error.code === 'unsupported_phase') log.skipped();
    else log.failed(id, error);
  }
}

async function requestOf(
  directory: string,
  { request, pid, image, guide_image: guide }: RecordedCall,
  target: { name: string; version: string },
): Promise<InspectionRequest> {
  return {
    target,
    productId: pid,
    stepIndex: request.step_index,
    stepDesc: request.step_desc,
    guideInfo: request.guide_info as InspectionRequest['guideInfo'],
    session: request.session,
    userParams: request.user_params,
    image: await load(directory, image),
    // A picture that was recorded without a guide was compared with itself, if its version compares at all.
    guideImage: guide ? await load(directory, guide) : 'same',
  };
}

async function load(directory: string, recorded: RecordedImage): Promise<ImageInput> {
  const file = path.resolve(directory, recorded.file);
  // A recording may come from somewhere else: it names its own files and no others.
  if (!file.startsWith(path.resolve(directory) + path.sep)) {
    throw new RunnerError(
      'invalid_params',
      `The recording names an image outside its folder: ${recorded.file}`,
      {
        details: { path: recorded.file },
      },
    );
  }
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new RunnerError('invalid_params', `The recording lacks its image ${recorded.file}`, {
      cause,
      details: { path: file },
    });
  });
  const { width, height, camera_id: cameraId, timestamp_ms: timestampMs, color_space: colorSpace } = recorded;
  const meta = { width, height, cameraId, timestampMs, colorSpace };
  return file.endsWith('.bin') ? { encoded: bytes, ...meta } : { ...meta, ...readNpy(bytes, file) };
}
