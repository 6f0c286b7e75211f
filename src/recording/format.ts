import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../errors.js';
import { readJson } from '../store/atomic-file.js';
import type { ResultData } from '../worker/types.js';

/** Says of a folder what it is. */
export const RECORDING_FORMAT = 'procvision-recording';
/** Readers refuse another one. Fields may be added without a new version: readers pass over those they do not know. */
export const RECORDING_VERSION = 1;

/** An image of a recorded call. */
export interface RecordedImage {
  /** Below the recording's folder, `/` as separator. */
  file: string;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Which camera took it. */
  camera_id: string;
  /** Unix time in milliseconds. */
  timestamp_ms: number;
  /** Order of the channels. */
  color_space: 'RGB' | 'BGR';
  /** What the values of more than 8 bits were, as `PixelFormat` names it; packed ones are unpacked in the file. */
  pixel_format?: string;
}

/**
 * One recorded call, the content of `calls/<number>.json`. A recording is a folder:
 *
 * - `recording.json`: `{ "format": "procvision-recording", "version": 1, "created_at": "<ISO 8601, UTC>" }`
 * - `calls/<number>.json`: one call each (UTF-8), at least eight digits, in the order in which the calls began; numbers
 *   are missing where calls were left out or dropped
 * - `images/<number>.npy`, `images/<number>-guide.npy`: the pixels as the worker had them (NumPy format 1.0, uint8, or
 *   uint16 for gray of more than 8 bits, C order, shape `(H, W, 3)` or `(H, W, 1)`, channels in the order of `color_space`), also of an image that was
 *   handed over as JPEG or PNG; `.bin`, byte for byte, for a picture that the package decoded
 * - `recording.lock` and names that begin so: somebody records to the folder
 *
 * A call is in the recording when its JSON file is: that is written last, in one step, and removed first. An image without
 * one belongs to a call that was cut off. A recorder that is killed leaves a recording that can be read and continued.
 */
export interface RecordedCall {
  /** In the order of the recording. */
  number: number;
  /** ISO 8601, UTC. */
  recorded_at: string;
  phase: 'pre' | 'execute';
  /** Product id it was routed by, if it was. */
  pid?: string;
  /** Package that answered. */
  name: string;
  /** As `name`. */
  version: string;
  /** What was asked, images apart. */
  request: {
    /** From 1. */
    step_index: number;
    /** In words. */
    step_desc?: string;
    /** As the request had it. */
    guide_info?: unknown[];
    /** As the request had it. */
    session?: {
      /** Of the session. */
      id?: string;
      /** Handed to the algorithm. */
      context?: Record<string, unknown>;
    };
    /** As the request had it: a version that answers fills in its own defaults. */
    user_params?: Record<string, unknown>;
    /** What was kept for the product id (`Registry.setParams`): where the request had none. */
    kept_params?: Record<string, unknown>;
  };
  /** The image that was inspected. */
  image: RecordedImage;
  /** The guide image, if one was given. */
  guide_image?: RecordedImage;
  /**
   * Without one: whether the image was compared with itself because the request said so, or with nothing. Absent in recordings of
   * before it was kept.
   */
  guide?: 'same' | 'none';
  result?: {
    request_id: string;
    /** As answered. */
    status: 'OK' | 'ERROR';
    /** As answered. */
    message: string;
    /** As answered. */
    error_code?: string;
    /** As answered. */
    data: ResultData;
    /** 1, and one more for each retry. */
    attempts: number;
    /** Where the time went, in milliseconds. */
    timing: {
      /** Waiting for a worker. */
      queue_ms: number;
      /** Copying images. */
      frame_ms: number;
      /** At the worker. */
      call_ms: number;
      /** All in all. */
      total_ms: number;
    };
  };
  /** …or how it failed: `code`, `error_code`, `message`, `retryable` and `details` of its RunnerError. */
  error?: Record<string, unknown>;
}

/** Name of a call's file without its ending. */
export function callName(number: number): string {
  return String(number).padStart(8, '0');
}

/** The number in the name of a file of a call, its JSON or one of its images. */
export function numberOf(file: string): number | undefined {
  const match = /^(\d{8,})(?:\.json|(?:-guide)?\.(?:npy|bin))$/.exec(file);
  return match ? Number(match[1]) : undefined;
}

/** Whether this is what a `recording.json` of this format says. */
export function isHeader(value: unknown): boolean {
  const header = value as { format?: unknown; version?: unknown } | null | undefined;
  return header?.format === RECORDING_FORMAT && header.version === RECORDING_VERSION;
}

/** Numbers of the calls in a recording, oldest first. @throws RunnerError `invalid_params` when it is none */
export async function recordedNumbers(folder: string): Promise<number[]> {
  const header = await readJson(path.join(folder, 'recording.json')).catch(() => undefined);
  if (!isHeader(header)) {
    throw new RunnerError(
      'invalid_params',
      `${folder} is no recording of format ${RECORDING_FORMAT}, version ${RECORDING_VERSION}: its recording.json does not say so`,
      { details: { path: folder } },
    );
  }
  // Not there yet when the recorder was killed right after it had begun.
  const names = await readdir(path.join(folder, 'calls')).catch(() => []);
  return names
    .map(numberOf)
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
}

/** Reads one call. @throws RunnerError `invalid_params` naming the file */
export async function readCall(folder: string, number: number): Promise<RecordedCall> {
  const file = path.join(folder, 'calls', `${callName(number)}.json`);
  try {
    const call = (await readJson(file)) as Partial<RecordedCall> | undefined;
    const { phase, request, image, guide_image: guide, result } = call ?? {};
    if (phase !== 'pre' && phase !== 'execute') throw new Error('it has no phase');
    if (typeof request?.step_index !== 'number') throw new Error('it has no request with a step_index');
    if (typeof image?.file !== 'string') throw new Error('it has no image');
    if (guide && typeof guide.file !== 'string') throw new Error('its guide image has no file');
    if (result && !isAnswer(result)) throw new Error('its result has no status, data and timing');
    return call as RecordedCall;
  } catch (cause) {
    throw new RunnerError('invalid_params', `${file} is no recorded call: ${(cause as Error).message}`, {
      cause,
      details: { path: file },
    });
  }
}

function isAnswer(result: Partial<NonNullable<RecordedCall['result']>>): boolean {
  const { status, data, timing } = result;
  const boxes: unknown = data?.defect_rects;
  return (
    (status === 'OK' || status === 'ERROR') &&
    typeof data === 'object' &&
    (boxes === undefined || Array.isArray(boxes)) &&
    typeof timing?.call_ms === 'number'
  );
}
