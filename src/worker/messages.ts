import { isRecord } from '../arguments.js';
import { overCeiling } from './frame-codec.js';
import { parsePythonJson } from './json.js';
import type { ProvenImage } from '../frames/proof.js';
import { reportOf, type WorkerReport } from '../process/containment.js';
import type { WorkerException, WorkerMetrics } from './types.js';

/** What a worker tells of the pictures of a call: those that it read, or why it could not read one. */
export interface PictureReport {
  read: ProvenImage[];
  fault: string | undefined;
}

/** What a worker says, as far as it could be understood. */
export type WorkerMessage =
  | { type: 'hello'; sdkVersion: string; capabilities: string[] }
  | { type: 'pong'; requestId: string | undefined }
  | {
      type: 'result';
      requestId: string;
      status: string;
      message: string;
      data: Record<string, unknown>;
      errorCode: string | undefined;
      nonFinite: string[];
      bigIntegers: string[];
      metrics: WorkerMetrics | undefined;
      pictures: PictureReport | undefined;
    }
  | {
      type: 'error';
      /** Undefined when the error belongs to no call. */
      requestId: string | undefined;
      message: string;
      errorCode: string | undefined;
      exception: string | undefined;
      raised: WorkerException | undefined;
      data: Record<string, unknown>;
      metrics: WorkerMetrics | undefined;
      pictures: PictureReport | undefined;
    }
  /** Sent before the answer by a worker that cannot put it into the answer. */
  | { type: 'pictures'; requestId: string; pictures: PictureReport }
  | { type: 'shutdown' }
  /**
   * The launcher has begun; `logPipe` is the descriptor of a pipe that its log goes to, where it could make one, and
   * `report` what holds the worker, where no keeper tells that (Windows).
   */
  | { type: 'launcher'; logPipe: number | undefined; report: WorkerReport | undefined }
  /** A frame that is no message; `isLost` when it may have been an answer. */
  | { type: 'fault'; message: string; isLost: boolean };

/** Reads the body of a frame. What is no message comes back as a fault, never as an exception. */
export function readMessage(body: Buffer): WorkerMessage {
  let parsed;
  try {
    parsed = parsePythonJson(body.toString('utf8'));
  } catch (error) {
    return { type: 'fault', message: `a frame that is not JSON: ${(error as Error).message}`, isLost: true };
  }
  const { value, nonFinite, bigIntegers } = parsed;
  if (!isRecord(value)) return { type: 'fault', message: 'a frame that is not a JSON object', isLost: false };
  switch (value.type) {
    case 'hello':
      return {
        type: 'hello',
        sdkVersion: text(value.sdk_version) ?? 'unknown',
        capabilities: strings(value.capabilities),
      };
    case 'pong':
      return { type: 'pong', requestId: text(value.request_id) };
    case 'shutdown':
      return { type: 'shutdown' };
    case 'pictures': {
      const pictures = picturesOf(value.pictures);
      const requestId = text(value.request_id);
      if (pictures && requestId !== undefined) return { type: 'pictures', requestId, pictures };
      return { type: 'fault', message: 'a report of pictures that belongs to no call', isLost: false };
    }
    case 'result': {
      const requestId = text(value.request_id);
      if (requestId === undefined)
        return { type: 'fault', message: 'a result without a request_id', isLost: true };
      return {
        type: 'result',
        requestId,
        status: text(value.status) ?? '',
        message: text(value.message) ?? '',
        data: isRecord(value.data) ? value.data : {},
        errorCode: text(value.error_code),
        nonFinite,
        bigIntegers,
        metrics: metricsOf(value.metrics),
        pictures: picturesOf(value.pictures),
      };
    }
    case 'error': {
      const raised = exceptionOf(value.raised);
      const message = text(value.message) ?? '';
      return {
        type: 'error',
        requestId: text(value.request_id),
        message: message === '' && raised ? raised.type : message, // a MemoryError has no text of its own
        errorCode: text(value.error_code),
        exception: text(value.exception),
        raised,
        data: isRecord(value.data) ? value.data : {},
        metrics: metricsOf(value.metrics),
        pictures: picturesOf(value.pictures),
      };
    }
    case 'launcher': {
      const { log_pipe: logPipe, report } = value;
      return {
        type: 'launcher',
        logPipe: Number.isInteger(logPipe) ? (logPipe as number) : undefined,
        report: isRecord(report) ? reportOf(report) : undefined,
      };
    }
    // The launcher's word for a frame that it did not send: no byte of it has to pass through the pipe.
    case 'too_large':
      return {
        type: 'fault',
        message: overCeiling(Number(value.bytes), Number(value.limit)),
        isLost: true,
      };
    default:
      return {
        type: 'fault',
        message: `a frame of unknown type ${String(value.type)}`,
        isLost: false,
      };
  }
}

/** What the bundled worker measured; the SDK's adapter sends no such thing. */
function metricsOf(value: unknown): WorkerMetrics | undefined {
  if (!isRecord(value) || typeof value.algorithm_ms !== 'number') return undefined;
  const { algorithm_ms: algorithmMs, rss_bytes: rssBytes, pictures } = value;
  return {
    algorithmMs,
    ...(typeof rssBytes === 'number' && { rssBytes }),
    ...((pictures === 'mapped' || pictures === 'copied') && { pictures }),
  };
}

/** What the launcher tells of an exception. */
function exceptionOf(value: unknown): WorkerException | undefined {
  if (!isRecord(value) || typeof value.type !== 'string') return undefined;
  const { file, line } = value;
  return {
    type: value.type,
    message: text(value.message) ?? '',
    ...(typeof file === 'string' && { file }),
    ...(typeof line === 'number' && { line }),
    traceback: text(value.traceback) ?? '',
  };
}

/** What cannot be read of a report is not in it: then the proof fails. */
function picturesOf(value: unknown): PictureReport | undefined {
  if (!isRecord(value)) return undefined;
  const read = Array.isArray(value.read) ? value.read.filter(isRecord) : [];
  return {
    read: read.map(({ id, generation, size, checksum, method }) => ({
      id: text(id) ?? '',
      generation: Number(generation),
      sizeBytes: Number(size),
      checksum: text(checksum) ?? '',
      method: text(method) as ProvenImage['method'],
    })),
    fault: text(value.fault),
  };
}

function text(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : undefined;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
