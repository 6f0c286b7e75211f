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

/** Lists of rectangles in a result. */
const RECT_LISTS = ['defect_rects', 'position_rects', 'calibration_rects'] as const;

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

/** Every rule that an answer breaks, the verdict first. */
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
  for (const list of RECT_LISTS) {
    const rects: unknown = data[list];
    if (rects === undefined || rects === null) continue;
    const most = list === 'defect_rects' ? MAX_DEFECT_RECTS : Number.POSITIVE_INFINITY;
    yield* rectsViolations(rects, `data.${list}`, image, most);
  }
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
  if (breaksNothing(reply, phase)) return [];
  const rules = { ...DEFAULT_ANSWER_RULES, ...answers };
  const raw = { status: reply.status, message: reply.message, data: reply.data };
  const warnings = reply.status === 'OK' ? truncated(reply, image, rules) : [];
  const passed = new Map<string, { text: string; more: number }>();
  for (const { path, message, rule } of violations(reply, phase, image)) {
    if (rule !== undefined && rules[rule] !== 'refuse') {
      // One warning for a rule: a list of rectangles has no end.
      const known = passed.get(rule);
      if (known) known.more += 1;
      else passed.set(rule, { text: `${path} ${message}`, more: 0 });
      continue;
    }
    throw new RunnerError(
      'contract_violation',
      `${title} answered ${phase} with a result that breaks the contract: ${path} ${message}. ` +
        'It is no verdict; the algorithm must be corrected',
      { details: { path, issues: [{ path, message }], raw, stage: phase } },
    );
  }
  for (const { text, more } of passed.values()) {
    const others = more === 0 ? '' : `, and ${more} more of the kind`;
    warnings.push(`The answer breaks the contract, which the policy lets pass: ${text}${others}`);
  }
  return warnings;
}

/** Whether it is the answer of most calls, for which no rule has anything to look at: it went well, and has no rectangles. */
function breaksNothing({ status, data }: WorkerReply, phase: CallPhase): boolean {
  return (
    status === 'OK' &&
    (phase !== 'execute' || data.result_status === 'OK') &&
    RECT_LISTS.every((list) => isNone(data[list]))
  );
}

function isNone(rects: unknown): boolean {
  return rects === undefined || rects === null || (Array.isArray(rects) && rects.length === 0);
}

function* rectsViolations(
  rects: unknown,
  path: string,
  image: ImageSize,
  most: number,
): Generator<Violation> {
  if (!Array.isArray(rects)) {
    yield { path, message: `must be a list, not ${show(rects)}` };
    return;
  }
  if (rects.length > most) {
    yield { path, message: `must have at most ${most} rectangles, not ${rects.length}`, rule: 'manyRects' };
  }
  for (const [index, rect] of rects.entries()) yield* rectViolations(rect, `${path}.${index}`, image);
}

/** What is no rectangle comes before what the policy may let pass: a rectangle outside of the picture, a score. */
function* rectViolations(rect: unknown, path: string, image: ImageSize): Generator<Violation> {
  if (typeof rect !== 'object' || rect === null || Array.isArray(rect)) {
    yield { path, message: `must be an object with x, y, width and height, not ${show(rect)}` };
    return;
  }
  const box = rect as Record<string, unknown>;
  const least = { x: -Infinity, y: -Infinity, width: 1, height: 1 };
  for (const [key, smallest] of Object.entries(least)) {
    const value = box[key];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < smallest) {
      const message = `must be a whole number of at least ${Math.max(smallest, 0)}, not ${show(value)}`;
      yield { path: `${path}.${key}`, message };
    }
  }
  const outside = isBox(rect) && outsideOf(rect, image);
  if (outside) yield { path: `${path}.${outside.key}`, message: outside.message, rule: 'rectsOutside' };
  const { score } = box;
  if (score !== undefined && score !== null && !Number.isFinite(score)) {
    yield { path: `${path}.score`, message: `must be a finite number, not ${show(score)}`, rule: 'scores' };
  }
}

/** How a rectangle reaches out of the picture; undefined where it does not. */
function outsideOf(
  { x, y, width, height }: Box,
  image: ImageSize,
): { key: string; message: string } | undefined {
  if (x < 0) return { key: 'x', message: `must be a whole number of at least 0, not ${x}` };
  if (y < 0) return { key: 'y', message: `must be a whole number of at least 0, not ${y}` };
  if (x + width > image.width) {
    return { key: 'width', message: `reaches to x = ${x + width} in an image ${image.width} wide` };
  }
  if (y + height > image.height) {
    return { key: 'height', message: `reaches to y = ${y + height} in an image ${image.height} high` };
  }
  return undefined;
}

/** Cuts an answer to the contract where the policy says so; says what was cut. The answer as it came stays as it is. */
function truncated(reply: WorkerReply, image: ImageSize, rules: Readonly<AnswerRules>): string[] {
  const warnings: string[] = [];
  if (rules.manyRects !== 'truncate' && rules.rectsOutside !== 'truncate') return warnings;
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
      const isCut = (rect: unknown): rect is Box => isBox(rect) && outsideOf(rect, image) !== undefined;
      const cut = rects.map((rect: unknown) => (isCut(rect) ? cutAt(rect, image) : rect));
      const kept = cut.filter((rect) => rect !== undefined);
      const dropped = cut.length - kept.length;
      const count = cut.filter((rect, at) => rect !== rects[at]).length - dropped;
      const were = (many: number) => (many === 1 ? 'was' : 'were');
      if (count + dropped > 0) data[list] = kept as typeof data.defect_rects;
      if (count > 0)
        warnings.push(
          `${count} of data.${list} reached out of the picture and ${were(count)} cut at its edge`,
        );
      if (dropped > 0)
        warnings.push(`${dropped} of data.${list} had no part in the picture and ${were(dropped)} left out`);
    }
  }
  if (warnings.length > 0) reply.data = data;
  return warnings;
}

type Box = Record<'x' | 'y' | 'width' | 'height', number>;

/** Whether it is a rectangle of whole pixels, wherever it lies. */
function isBox(rect: unknown): rect is Box {
  if (typeof rect !== 'object' || rect === null) return false;
  const { x, y, width = 0, height = 0 } = rect as Partial<Box>;
  return [x, y, width, height].every((side) => Number.isInteger(side)) && width >= 1 && height >= 1;
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
