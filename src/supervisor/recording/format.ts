import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { RunnerError } from '../../errors.js';
import { readJson } from '../../store/atomic-file.js';
import type { ResultData } from '../../worker/types.js';

/**
 * A recording is a folder:
 *
 * - `recording.json`: `{ "format": "procvision-recording", "version": 1, "created_at" }`
 * - `calls/<number>.json`: one {@link RecordedCall} each, eight digits, in the order in which the calls began
 * - `images/<number>.npy`, `images/<number>-guide.npy`: the pixels as the worker had them (NumPy format 1.0, uint8);
 *   `.bin` for an image that was handed over as JPEG or PNG
 *
 * A call is in the recording when its JSON file is; an image without one belongs to a call that was cut off.
 */
export const RECORDING_FORMAT = 'procvision-recording';
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
}

/** One recorded call. */
export interface RecordedCall {
  /** In the order of the recording. */
  number: number;
  /** ISO 8601, UTC. */
  recorded_at: string;
  /** Which call it was. */
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
    /** As the request had it. */
    user_params?: Record<string, unknown>;
  };
  /** The image that was inspected. */
  image: RecordedImage;
  /** The guide image, if one was given. */
  guide_image?: RecordedImage;
  /** What was answered… */
  result?: {
    /** Of the call. */
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
  /** …or how it failed. */
  error?: Record<string, unknown>;
}

/** Name of a call's file without its ending. */
export function callName(number: number): string {
  return String(number).padStart(8, '0');
}

/** Numbers of the calls in a recording, oldest first. @throws RunnerError `invalid_params` when it is none */
export async function recordedNumbers(folder: string): Promise<number[]> {
  const header = (await readJson(path.join(folder, 'recording.json')).catch(() => undefined)) as
    { format?: unknown; version?: unknown } | undefined;
  if (header?.format !== RECORDING_FORMAT || header.version !== RECORDING_VERSION) {
    throw new RunnerError(
      'invalid_params',
      `${folder} is no recording of format ${RECORDING_FORMAT}, version ${RECORDING_VERSION}: its recording.json does not say so`,
      { details: { path: folder } },
    );
  }
  const names = await readdir(path.join(folder, 'calls'));
  return names
    .filter((name) => /^\d{8,}\.json$/.test(name))
    .map((name) => Number(name.slice(0, -'.json'.length)))
    .sort((a, b) => a - b);
}

/** Reads one call. @throws RunnerError `invalid_params` naming the file */
export async function readCall(folder: string, number: number): Promise<RecordedCall> {
  const file = path.join(folder, 'calls', `${callName(number)}.json`);
  try {
    const call = (await readJson(file)) as RecordedCall | undefined;
    if (call?.image.file === undefined) throw new Error('it has no image');
    return call;
  } catch (cause) {
    throw new RunnerError('invalid_params', `${file} is no recorded call: ${(cause as Error).message}`, {
      cause,
      details: { path: file },
    });
  }
}
