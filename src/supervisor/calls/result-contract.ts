import { RunnerError } from '../../errors.js';
import type { CallPhase, WorkerReply } from '../../worker/types.js';

/** Most defect rectangles a result may have (worker protocol, policies). */
export const MAX_DEFECT_RECTS = 20;

/** What happens to an answer that breaks a rule of the contract, by rule. */
export interface AnswerRules {
  /**
   * More than 20 defect rectangles: `truncate` keeps the first 20. The specification says both that they are cut off and that
   * they are a violation. @defaultValue 'refuse'
   */
  manyRects: 'refuse' | 'report' | 'truncate';
  /** A rectangle that reaches out of the picture: `truncate` cuts it at the edge, and drops it where nothing is left. @defaultValue 'refuse' */
  rectsOutside: 'refuse' | 'report' | 'truncate';
  /** NG without a reason. @defaultValue 'refuse' */
  ngWithoutReason: 'refuse' | 'report';
  /** A `score` of a rectangle that is no finite number. @defaultValue 'report' */
  scores: 'refuse' | 'report';
}

/** What holds unless said otherwise. */
export const DEFAULT_ANSWER_RULES: Readonly<AnswerRules> = Object.freeze({
  manyRects: 'refuse',
  rectsOutside: 'refuse',
  ngWithoutReason: 'refuse',
  scores: 'report',
});

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
  /** The rule, where the policy may say that it is only reported. */
  rule?: keyof AnswerRules;
}

/**
 * The first rule of the result contract (worker protocol, "Result data") that an answer breaks: the verdict is OK or
 * NG, NG has a reason and its rectangles, at most 20 of them, whole pixels inside the image. An ERROR has no verdict
 * to check, and `pre` gives none.
 */
export function findViolation(reply: WorkerReply, phase: CallPhase, image: ImageSize): Violation | undefined {
  for (const violation of violations(reply, phase, image)) if (violation.rule !== 'scores') return violation;
  return undefined;
}

/** Every rule that an answer breaks, the verdict first; of one rectangle the first. */
function* violations(reply: WorkerReply, phase: CallPhase, image: ImageSize): Generator<Violation> {
  if (reply.status === 'ERROR' || (phase !== 'execute' && phase !== 'pre')) return;
  const { data } = reply;
  const verdict: unknown = data.result_status;
  if (phase === 'execute') {
    if (verdict !== 'OK' && verdict !== 'NG') {
      yield { path: 'data.result_status', message: `must be OK or NG, not ${show(verdict)}` };
    }
    if (verdict === 'NG') {
      const reason: unknown = data.ng_reason;
      if (typeof reason !== 'string' || reason.trim() === '') {
        const message = `must say why the result is NG, not ${show(reason)}`;
        yield { path: 'data.ng_reason', message, rule: 'ngWithoutReason' };
      }
      if (!Array.isArray(data.defect_rects)) {
        yield {
          path: 'data.defect_rects',
          message: `must be a list when the result is NG, not ${show(data.defect_rects)}`,
        };
      }
    }
  }
  yield* rectsViolations(data.defect_rects, 'data.defect_rects', image, MAX_DEFECT_RECTS);
  yield* rectsViolations(data.position_rects, 'data.position_rects', image);
  yield* rectsViolations(data.calibration_rects, 'data.calibration_rects', image);
}

/**
 * Holds an answer against the contract. Where the policy says `truncate`, the answer is cut to it first.
 *
 * @returns what the policy says is only reported, and what was cut, for the `warnings` of the result
 * @throws RunnerError `contract_violation` with the path of the fault and the raw answer
 */
export function checkResult(
  reply: WorkerReply,
  phase: CallPhase,
  image: ImageSize,
  { title, answers }: { title: string; answers?: Partial<AnswerRules> },
): string[] {
  const rules = { ...DEFAULT_ANSWER_RULES, ...answers };
  const raw = { status: reply.status, message: reply.message, data: reply.data };
  const warnings = reply.status === 'OK' ? truncated(reply, image, rules) : [];
  for (const { path, message, rule } of violations(reply, phase, image)) {
    if (rule !== undefined && rules[rule] !== 'refuse') {
      warnings.push(`The answer breaks the contract, which the policy lets pass: ${path} ${message}`);
      continue;
    }
    throw new RunnerError(
      'contract_violation',
      `${title} answered ${phase} with a result that breaks the contract: ${path} ${message}. ` +
        'It is no verdict; the algorithm must be corrected',
      { details: { path, issues: [{ path, message }], raw, stage: phase } },
    );
  }
  return warnings;
}

function* rectsViolations(
  rects: unknown,
  path: string,
  image: ImageSize,
  most = Number.POSITIVE_INFINITY,
): Generator<Violation> {
  if (rects === undefined || rects === null) return;
  if (!Array.isArray(rects)) {
    yield { path, message: `must be a list, not ${show(rects)}` };
    return;
  }
  if (rects.length > most) {
    yield { path, message: `must have at most ${most} rectangles, not ${rects.length}`, rule: 'manyRects' };
  }
  for (const [index, rect] of rects.entries()) {
    const violation = rectViolation(rect, `${path}.${index}`, image);
    if (violation) yield violation;
  }
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
      const message = `must be a whole number of at least ${least}, not ${show(value)}`;
      const isOutside = least === 0 && Number.isInteger(value);
      return { path: `${path}.${key}`, message, ...(isOutside && { rule: 'rectsOutside' as const }) };
    }
  }
  const { x, y, width, height } = box as Record<'x' | 'y' | 'width' | 'height', number>;
  if (x + width > image.width) {
    const message = `reaches to x = ${x + width} in an image ${image.width} wide`;
    return { path: `${path}.width`, message, rule: 'rectsOutside' };
  }
  if (y + height > image.height) {
    const message = `reaches to y = ${y + height} in an image ${image.height} high`;
    return { path: `${path}.height`, message, rule: 'rectsOutside' };
  }
  const { score } = box;
  if (score !== undefined && score !== null && !Number.isFinite(score)) {
    return { path: `${path}.score`, message: `must be a finite number, not ${show(score)}`, rule: 'scores' };
  }
  return undefined;
}

const RECT_LISTS = ['defect_rects', 'position_rects', 'calibration_rects'] as const;

/** Cuts an answer to the contract where the policy says so; says what was cut. The answer as it came stays as it is. */
function truncated(reply: WorkerReply, image: ImageSize, rules: Readonly<AnswerRules>): string[] {
  const warnings: string[] = [];
  const data = { ...reply.data };
  const { defect_rects: defects } = data;
  if (rules.manyRects === 'truncate' && Array.isArray(defects) && defects.length > MAX_DEFECT_RECTS) {
    data.defect_rects = defects.slice(0, MAX_DEFECT_RECTS);
    warnings.push(`Of ${defects.length} defect rectangles the first ${MAX_DEFECT_RECTS} are kept`);
  }
  if (rules.rectsOutside === 'truncate') {
    for (const list of RECT_LISTS) {
      const rects: unknown = data[list];
      if (!Array.isArray(rects)) continue;
      const cut = rects.map((rect: unknown) => (isOutside(rect, image) ? cutAt(rect, image) : rect));
      const count = cut.filter((rect, at) => rect !== rects[at]).length;
      if (count === 0) continue;
      data[list] = cut.filter((rect) => rect !== undefined) as typeof data.defect_rects;
      warnings.push(
        `${count} of data.${list} reached out of the picture and ${count === 1 ? 'was' : 'were'} cut at its edge`,
      );
    }
  }
  if (warnings.length > 0) reply.data = data;
  return warnings;
}

type Box = Record<'x' | 'y' | 'width' | 'height', number>;

/** Whether it is a rectangle of whole pixels of which a part at least is not in the picture. */
function isOutside(rect: unknown, image: ImageSize): rect is Box {
  if (typeof rect !== 'object' || rect === null) return false;
  const { x, y, width, height } = rect as Partial<Box>;
  if (![x, y, width, height].every((side) => Number.isInteger(side))) return false;
  const box = rect as Box;
  return box.x < 0 || box.y < 0 || box.x + box.width > image.width || box.y + box.height > image.height;
}

/** The part of it that is in the picture; undefined where there is none. */
function cutAt(rect: Box, image: ImageSize): Box | undefined {
  const [x, y] = [Math.max(0, rect.x), Math.max(0, rect.y)];
  const width = Math.min(image.width, rect.x + rect.width) - x;
  const height = Math.min(image.height, rect.y + rect.height) - y;
  return width >= 1 && height >= 1 ? { ...rect, x, y, width, height } : undefined;
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? typeof value : text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
