import { RunnerError } from '../../errors.js';
import type { CallPhase, WorkerReply } from '../../worker/types.js';

/** Most defect rectangles a result may have (worker protocol, policies). */
export const MAX_DEFECT_RECTS = 20;

/** Size of the image the result is about, in pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

/** A rule that a result breaks. */
export interface Violation {
  /** Dotted path in the answer, for example `data.defect_rects.3.width`. */
  path: string;
  message: string;
}

/**
 * The first rule of the result contract (worker protocol, "Result data") that an answer breaks: the verdict is OK or
 * NG, NG has a reason and its rectangles, at most 20 of them, whole pixels inside the image. An ERROR has no verdict
 * to check, and `pre` gives none.
 */
export function findViolation(reply: WorkerReply, phase: CallPhase, image: ImageSize): Violation | undefined {
  if (reply.status === 'ERROR' || (phase !== 'execute' && phase !== 'pre')) return undefined;
  const { data } = reply;
  const verdict: unknown = data.result_status;
  if (phase === 'execute') {
    if (verdict !== 'OK' && verdict !== 'NG') {
      return { path: 'data.result_status', message: `must be OK or NG, not ${show(verdict)}` };
    }
    if (verdict === 'NG') {
      const reason: unknown = data.ng_reason;
      if (typeof reason !== 'string' || reason.trim() === '') {
        return { path: 'data.ng_reason', message: `must say why the result is NG, not ${show(reason)}` };
      }
      if (!Array.isArray(data.defect_rects)) {
        return {
          path: 'data.defect_rects',
          message: `must be a list when the result is NG, not ${show(data.defect_rects)}`,
        };
      }
    }
  }
  return (
    rectsViolation(data.defect_rects, 'data.defect_rects', image, MAX_DEFECT_RECTS) ??
    rectsViolation(data.position_rects, 'data.position_rects', image) ??
    rectsViolation(data.calibration_rects, 'data.calibration_rects', image)
  );
}

/** @throws RunnerError `contract_violation` with the path of the fault and the raw answer */
export function checkResult(reply: WorkerReply, phase: CallPhase, image: ImageSize, title: string): void {
  const violation = findViolation(reply, phase, image);
  if (!violation) return;
  const { path, message } = violation;
  throw new RunnerError(
    'contract_violation',
    `${title} answered ${phase} with a result that breaks the contract: ${path} ${message}. ` +
      'It is no verdict; the algorithm must be corrected',
    {
      details: {
        path,
        issues: [{ path, message }],
        raw: { status: reply.status, message: reply.message, data: reply.data },
        stage: phase,
      },
    },
  );
}

function rectsViolation(
  rects: unknown,
  path: string,
  image: ImageSize,
  most = Number.POSITIVE_INFINITY,
): Violation | undefined {
  if (rects === undefined || rects === null) return undefined;
  if (!Array.isArray(rects)) return { path, message: `must be a list, not ${show(rects)}` };
  if (rects.length > most) {
    return { path, message: `must have at most ${most} rectangles, not ${rects.length}` };
  }
  for (const [index, rect] of rects.entries()) {
    const violation = rectViolation(rect, `${path}.${index}`, image);
    if (violation) return violation;
  }
  return undefined;
}

function rectViolation(rect: unknown, path: string, image: ImageSize): Violation | undefined {
  if (typeof rect !== 'object' || rect === null || Array.isArray(rect)) {
    return { path, message: `must be an object with x, y, width and height, not ${show(rect)}` };
  }
  const box = rect as Record<string, unknown>;
  for (const [key, least] of [
    ['x', 0],
    ['y', 0],
    ['width', 1],
    ['height', 1],
  ] as const) {
    const value = box[key];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least) {
      return {
        path: `${path}.${key}`,
        message: `must be a whole number of at least ${least}, not ${show(value)}`,
      };
    }
  }
  const { x, y, width, height } = box as Record<'x' | 'y' | 'width' | 'height', number>;
  if (x + width > image.width) {
    return { path: `${path}.width`, message: `reaches to x = ${x + width} in an image ${image.width} wide` };
  }
  if (y + height > image.height) {
    return {
      path: `${path}.height`,
      message: `reaches to y = ${y + height} in an image ${image.height} high`,
    };
  }
  return undefined;
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? typeof value : text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
