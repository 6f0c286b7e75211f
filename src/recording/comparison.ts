import type { AnswerComparison } from '../supervisor/recording-types.js';
import type { Rect, ResultData } from '../worker/types.js';

/** The part of an answer that is compared. */
export interface ComparedAnswer {
  status: 'OK' | 'ERROR';
  data: ResultData;
}

/** Area of the overlap over the area of both together: 1 is the same box, 0 is apart. */
export function intersectionOverUnion(a: Rect, b: Rect): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const overlap = width * height;
  return overlap / (a.width * a.height + b.width * b.height - overlap);
}

/**
 * Compares verdicts and defect boxes. Boxes are paired best overlap first, each with one other at most; a pair below
 * `minIou` is none.
 */
export function compareAnswers(
  expected: ComparedAnswer,
  actual: ComparedAnswer,
  minIou = 0.5,
): AnswerComparison {
  const left = boxesOf(expected);
  const right = boxesOf(actual);
  const pairs = left
    .flatMap((a) => right.map((b) => ({ a, b, iou: intersectionOverUnion(a, b) })))
    .filter(({ iou }) => iou >= minIou)
    .sort((one, other) => other.iou - one.iou);
  const taken = new Set<Rect>();
  const ious: number[] = [];
  for (const { a, b, iou } of pairs) {
    if (taken.has(a) || taken.has(b)) continue;
    taken.add(a).add(b);
    ious.push(iou);
  }
  const missing = left.filter((box) => !taken.has(box));
  const extra = right.filter((box) => !taken.has(box));
  const verdicts = { expected: verdictOf(expected), actual: verdictOf(actual) };
  return {
    agrees: verdicts.expected === verdicts.actual && missing.length === 0 && extra.length === 0,
    ...verdicts,
    boxes: {
      matched: ious.length,
      missing,
      extra,
      meanIou: ious.length === 0 ? undefined : ious.reduce((sum, iou) => sum + iou, 0) / ious.length,
    },
  };
}

function verdictOf({ status, data }: ComparedAnswer): string {
  return status === 'ERROR' ? 'ERROR' : (data.result_status ?? 'none');
}

/** The lists of two answers may hold the very same objects; each box is to be one of its own. */
function boxesOf({ data }: ComparedAnswer): Rect[] {
  return (data.defect_rects ?? []).map((box) => ({ ...box }));
}
