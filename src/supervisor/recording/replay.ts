import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { throwIfAborted, type OperationOptions } from '../../abort.js';
import { RunnerError } from '../../errors.js';
import type { ImageInput } from '../../frames/types.js';
import { compareAnswers } from '../comparison.js';
import { ComparisonLog, type ComparisonReport } from '../comparison-report.js';
import type { InspectionRequest, InspectionResult } from '../types.js';
import { readCall, recordedNumbers, type RecordedCall, type RecordedImage } from './format.js';
import { readNpy } from './npy-reader.js';

/** A recording, and the version it is held against. */
export interface ReplayOptions extends OperationOptions {
  /** Folder of the recording. */
  directory: string;
  /** Package that is to answer. */
  name: string;
  /** Version that is to answer. */
  version: string;
  /** Overlap from which two boxes are taken for the same. @defaultValue 0.5 */
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

/**
 * Makes the calls of a recording again, one after the other, at one version, and compares the answers with those that
 * were recorded. Calls that had failed when they were recorded have nothing to compare with and are left out.
 *
 * @throws RunnerError `invalid_params` for a folder that is no recording, `aborted`, `not_found`, `closed`
 */
export async function replayRecording(o: ReplayOptions, call: MakeCall): Promise<ComparisonReport> {
  const { directory, name, version, signal, minIou } = o;
  const numbers = await recordedNumbers(directory);
  const log = new ComparisonLog('the recording', `${name} ${version}`);
  for (const [index, number] of numbers.entries()) {
    throwIfAborted(signal, 'replay');
    const recorded = await readCall(directory, number);
    const { result: expected } = recorded;
    if (expected) {
      try {
        const request = await requestOf(directory, recorded, { name, version });
        const actual = await call(recorded.phase, request, { signal });
        const comparison = compareAnswers(expected, actual, minIou);
        log.compared(String(number), comparison, expected.timing.call_ms, actual.timing.callMs);
      } catch (error) {
        // What speaks of the version belongs into the report; what ends the replay does not.
        if (!RunnerError.is(error) || ['aborted', 'closed', 'not_found'].includes(error.code)) throw error;
        log.failed(String(number), error);
      }
    } else {
      log.skipped();
    }
    o.onProgress?.(index + 1, numbers.length);
  }
  return log.report();
}

async function requestOf(
  directory: string,
  { request, pid, image, guide_image: guide }: RecordedCall,
  target: { name: string; version: string },
): Promise<InspectionRequest> {
  return {
    target,
    pid,
    stepIndex: request.step_index,
    stepDesc: request.step_desc,
    guideInfo: request.guide_info as InspectionRequest['guideInfo'],
    session: request.session,
    userParams: request.user_params,
    image: await load(directory, image),
    ...(guide && { guideImage: await load(directory, guide) }),
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
