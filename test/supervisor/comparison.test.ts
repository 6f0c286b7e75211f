import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareAnswers,
  intersectionOverUnion,
  type ComparedAnswer,
} from '../../src/recording/comparison.js';
import { ComparisonLog, formatComparison } from '../../src/recording/comparison-report.js';
import { RunnerError } from '../../src/errors.js';
import type { Rect } from '../../src/worker/types.js';

const box = (x: number, y: number, width = 10, height = 10): Rect => ({ x, y, width, height });
const ng = (...defect_rects: Rect[]): ComparedAnswer => ({
  status: 'OK',
  data: { result_status: 'NG', ng_reason: 'x', defect_rects },
});
const ok: ComparedAnswer = { status: 'OK', data: { result_status: 'OK' } };

describe('intersectionOverUnion', () => {
  test.each<[string, Rect, Rect, number]>([
    ['the same box', box(3, 4), box(3, 4), 1],
    ['boxes apart', box(0, 0), box(20, 0), 0],
    ['boxes that touch', box(0, 0), box(10, 0), 0],
    ['half moved', box(0, 0), box(5, 0), 50 / 150],
    ['one inside the other', box(0, 0), box(0, 0, 5, 5), 0.25],
  ])('of %s', (_, a, b, expected) => {
    expect(intersectionOverUnion(a, b)).toBeCloseTo(expected, 10);
  });

  test('is the same both ways and between 0 and 1', () => {
    const rect = fc.record({
      x: fc.nat(50),
      y: fc.nat(50),
      width: fc.integer({ min: 1, max: 50 }),
      height: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(rect, rect, (a, b) => {
        const iou = intersectionOverUnion(a, b);
        expect(iou).toBe(intersectionOverUnion(b, a));
        expect(iou >= 0 && iou <= 1).toBe(true);
      }),
    );
  });
});

describe('compareAnswers', () => {
  test('agrees on OK and OK', () => {
    expect(compareAnswers(ok, ok)).toMatchObject({ agrees: true, expected: 'OK', actual: 'OK' });
  });

  test('agrees on boxes in another order, a little moved', () => {
    const comparison = compareAnswers(ng(box(0, 0), box(40, 40)), ng(box(41, 40), box(0, 1)));
    expect(comparison).toMatchObject({ agrees: true, boxes: { matched: 2, missing: [], extra: [] } });
    expect(comparison.boxes.meanIou).toBeCloseTo(90 / 110, 10);
  });

  test('does not agree on OK and NG, nor on ERROR', () => {
    expect(compareAnswers(ok, ng(box(0, 0)))).toMatchObject({ agrees: false, expected: 'OK', actual: 'NG' });
    expect(compareAnswers(ok, { status: 'ERROR', data: {} })).toMatchObject({
      agrees: false,
      actual: 'ERROR',
    });
  });

  test('tells the box that is missing and the one that is new', () => {
    const comparison = compareAnswers(ng(box(0, 0), box(40, 0)), ng(box(0, 0), box(80, 0)));
    expect(comparison).toMatchObject({
      agrees: false,
      boxes: { matched: 1, missing: [box(40, 0)], extra: [box(80, 0)] },
    });
  });

  test('pairs one box with one other, the best overlap first', () => {
    const comparison = compareAnswers(ng(box(0, 0), box(2, 0)), ng(box(2, 0)), 0.1);
    expect(comparison.boxes).toMatchObject({ matched: 1, meanIou: 1, missing: [box(0, 0)] });
  });
});

test('the report counts, and reads as text', () => {
  const log = new ComparisonLog('the recording', 'pcb 2');
  log.compared('1', compareAnswers(ok, ok), 10, 20);
  log.compared('2', compareAnswers(ng(box(0, 0)), ok), 10, 30);
  log.failed('3', new RunnerError('timeout', 'too slow', { details: { timeoutMs: 5 } }));
  log.skipped();
  const report = log.report();
  expect(report).toMatchObject({
    compared: 2,
    agreed: 1,
    agreement: 0.5,
    failed: 1,
    skipped: 1,
    verdicts: { 'OK -> OK': 1, 'NG -> OK': 1 },
    boxes: { matched: 0, missing: 1, extra: 0 },
    latency: { expected: { p50Ms: 10 }, actual: { maxMs: 30 } },
    disagreements: [{ id: '2' }, { id: '3', failure: { code: 'timeout', message: 'too slow' } }],
  });
  expect(formatComparison(report)).toBe(`pcb 2 beside the recording: 1 of 2 calls agree (50.0 %)
  no answer: 1, left out: 1
  verdict OK -> OK: 1
  verdict NG -> OK: 1
  boxes: 0 matched (mean IoU -), 1 missing, 0 extra
  latency: p50 20.0 ms, p99 30.0 ms beside p50 10.0 ms, p99 10.0 ms
  2: NG -> OK, 1 boxes missing, 0 extra
  3: timeout: too slow
`);
});
