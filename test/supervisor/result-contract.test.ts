import { describe, expect, test } from 'vitest';
import { checkResult, findViolation, type AnswerRules } from '../../src/supervisor/calls/result-contract.js';
import type { ResultData, WorkerReply } from '../../src/worker/types.js';

const image = { width: 100, height: 50 };
const box = { x: 0, y: 0, width: 10, height: 10 };

function replyOf(data: unknown, status: 'OK' | 'ERROR' = 'OK'): WorkerReply {
  return {
    requestId: 'r',
    status,
    message: '',
    data: data as ResultData,
    isErrorFrame: false,
    nonFinite: [],
    callMs: 1,
  };
}

const ng = (defect_rects: unknown, more: object = {}) => ({
  result_status: 'NG',
  ng_reason: 'scratch',
  defect_rects,
  ...more,
});

test.each<[string, unknown]>([
  ['OK without rectangles', { result_status: 'OK' }],
  ['OK with null rectangles', { result_status: 'OK', defect_rects: null }],
  ['NG with a reason and no place', ng([])],
  ['NG with 20 rectangles', ng(Array(20).fill(box))],
  ['a rectangle that fills the image', ng([{ x: 0, y: 0, width: 100, height: 50 }])],
  ['a rectangle of the last pixel', ng([{ x: 99, y: 49, width: 1, height: 1 }])],
  ['more than 20 position rectangles', { result_status: 'OK', position_rects: Array(21).fill(box) }],
  ['whole numbers written as 1.0', ng([{ x: 1.0, y: 2.0, width: 3.0, height: 4.0 }])],
])('accepts %s', (_, data) => {
  expect(findViolation(replyOf(data), 'execute', image)).toBeUndefined();
});

test.each<[string, unknown, string]>([
  ['no verdict', {}, 'data.result_status'],
  ['a verdict in lower case', { result_status: 'ok' }, 'data.result_status'],
  ['a verdict that is no text', { result_status: true }, 'data.result_status'],
  ['NG without a reason', { result_status: 'NG', defect_rects: [] }, 'data.ng_reason'],
  ['NG with a blank reason', ng([], { ng_reason: '  ' }), 'data.ng_reason'],
  ['NG with a reason that is no text', ng([], { ng_reason: 7 }), 'data.ng_reason'],
  ['NG without rectangles', ng(undefined), 'data.defect_rects'],
  ['NG with null for rectangles', ng(null), 'data.defect_rects'],
  ['rectangles that are no list', ng({ 0: box }), 'data.defect_rects'],
  ['21 rectangles', ng(Array(21).fill(box)), 'data.defect_rects'],
  ['21 rectangles in an OK', { result_status: 'OK', defect_rects: Array(21).fill(box) }, 'data.defect_rects'],
  ['a rectangle that is a list', ng([[0, 0, 1, 1]]), 'data.defect_rects.0'],
  ['a rectangle that is null', ng([box, null]), 'data.defect_rects.1'],
  ['a rectangle without x', ng([{ y: 0, width: 1, height: 1 }]), 'data.defect_rects.0.x'],
  ['a fraction', ng([box, { ...box, y: 1.5 }]), 'data.defect_rects.1.y'],
  ['a number as text', ng([{ ...box, width: '10' }]), 'data.defect_rects.0.width'],
  ['NaN, read as null', ng([{ ...box, height: null }]), 'data.defect_rects.0.height'],
  ['a negative x', ng([{ ...box, x: -1 }]), 'data.defect_rects.0.x'],
  ['no width', ng([{ ...box, width: 0 }]), 'data.defect_rects.0.width'],
  ['one pixel too wide', ng([{ ...box, x: 91 }]), 'data.defect_rects.0.width'],
  ['one pixel too high', ng([{ ...box, y: 41 }]), 'data.defect_rects.0.height'],
  [
    'a position outside the image',
    { result_status: 'OK', position_rects: [{ ...box, x: 95 }] },
    'data.position_rects.0.width',
  ],
])('finds %s in the result of execute', (_, data, path) => {
  expect(findViolation(replyOf(data), 'execute', image)?.path).toBe(path);
});

describe('pre', () => {
  test('needs no verdict', () => {
    expect(findViolation(replyOf({ calibration_rects: [box] }), 'pre', image)).toBeUndefined();
  });

  test('has its calibration rectangles checked', () => {
    const data = { calibration_rects: [{ ...box, width: 101 }] };
    expect(findViolation(replyOf(data), 'pre', image)?.path).toBe('data.calibration_rects.0.width');
  });
});

test('an ERROR has no verdict to check', () => {
  expect(findViolation(replyOf({ defect_rects: 7 }, 'ERROR'), 'execute', image)).toBeUndefined();
});

test('a violation is an error with the path, the fault and the raw answer', () => {
  const data = { result_status: 'NG', defect_rects: [] };
  let thrown: unknown;
  try {
    checkResult(replyOf(data), 'execute', image, { title: 'pcb 1.0' });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({
    code: 'contract_violation',
    message: expect.stringContaining('data.ng_reason') as string,
    details: { path: 'data.ng_reason', raw: { status: 'OK', message: '', data } },
  });
});

describe('by the policy', () => {
  const settle = (data: Record<string, unknown>, answers: Partial<AnswerRules>) => {
    const reply = replyOf(data);
    const warnings = checkResult(reply, 'execute', image, { title: 'pcb 1.0', answers });
    return { data: reply.data, warnings };
  };

  test('of more than 20 defects the first 20 are kept, or all with a warning', () => {
    const many = ng(Array.from({ length: 23 }, (_, index) => ({ ...box, x: index })));
    const cut = settle(many, { manyRects: 'truncate' });
    expect(cut.data.defect_rects).toEqual((many.defect_rects as unknown[]).slice(0, 20));
    expect(cut.warnings).toEqual(['Of 23 defect rectangles the first 20 are kept']);
    const reported = settle(many, { manyRects: 'report' });
    expect(reported.data).toEqual(many);
    expect(reported.warnings).toEqual([
      expect.stringMatching(
        /which the policy lets pass: data\.defect_rects must have at most 20 rectangles, not 23/,
      ),
    ]);
  });

  test('rectangles that reach out of the picture are cut at its edge, dropped, or reported', () => {
    const outside = [
      { ...box, x: 91 },
      { x: -3, y: -2, width: 10, height: 10 },
      { ...box, x: 200 },
      { ...box, x: 0 },
    ];
    const { data, warnings } = settle(ng(outside), { rectsOutside: 'truncate' });
    expect(data.defect_rects).toEqual([
      { ...box, x: 91, width: 9 },
      { x: 0, y: 0, width: 7, height: 8 },
      { ...box, x: 0 },
    ]);
    expect(warnings).toEqual([
      '2 of data.defect_rects reached out of the picture and were cut at its edge',
      '1 of data.defect_rects had no part in the picture and was left out',
    ]);
    expect(settle(ng(outside), { rectsOutside: 'report' }).warnings).toEqual([
      expect.stringMatching(
        /defect_rects\.0\.width reaches to x = \d+ in an image 100 wide, and 2 more of the kind$/,
      ),
    ]);
    expect(settle(ng(outside), { rectsOutside: 'report' }).data.defect_rects).toEqual(outside);
    expect(() => settle(ng([{ ...box, width: 0 }]), { rectsOutside: 'truncate' })).toThrow(
      /at least 1, not 0/,
    );
    expect(() => settle(ng([{ ...box, x: 0.5 }]), { rectsOutside: 'report' })).toThrow(/whole number/);
  });

  test.each(['report', 'truncate'] as const)(
    'what is no rectangle is refused although it begins outside of the picture, and so is its score where that is asked for; outside: %s',
    (rectsOutside) => {
      const odd = { x: -1, y: 0, width: 'abc', height: 0.5 };
      expect(() => settle(ng([odd]), { rectsOutside })).toThrow(/width must be a whole number/);
      expect(() => settle(ng([{ ...box, x: -1, width: 0 }]), { rectsOutside })).toThrow(/at least 1, not 0/);
      const scored = { x: -1, y: 0, width: 10, height: 10, score: 'high' };
      expect(() => settle(ng([scored]), { rectsOutside, scores: 'refuse' })).toThrow(
        /score must be a finite/,
      );
    },
  );

  test('a thousand scores that are no numbers are one warning', () => {
    const rects = Array.from({ length: 1_000 }, () => ({ ...box, score: '0.9' }));
    const { warnings } = settle({ result_status: 'OK', position_rects: rects }, {});
    expect(warnings).toEqual([
      expect.stringMatching(/position_rects\.0\.score .*, and 999 more of the kind$/),
    ]);
  });

  test('an NG without a reason passes with a warning, and a verdict that is none never does', () => {
    expect(
      settle({ result_status: 'NG', defect_rects: [] }, { ngWithoutReason: 'report' }).warnings,
    ).toHaveLength(1);
    const every = {
      manyRects: 'report',
      rectsOutside: 'report',
      ngWithoutReason: 'report',
      scores: 'report',
    } as const;
    expect(() => settle({ result_status: 'MAYBE' }, every)).toThrow(/must be OK or NG/);
  });

  test('a score that is no number is reported by default, and refused where that is asked for', () => {
    const scored = ng([{ ...box, score: 'high' }]);
    expect(settle(scored, {}).warnings).toEqual([
      expect.stringMatching(/defect_rects\.0\.score must be a finite number/),
    ]);
    expect(() => settle(scored, { scores: 'refuse' })).toThrow(/score must be a finite number, not "high"/);
    expect(settle(ng([{ ...box, score: 0.5 }, { ...box, score: null }, box]), {}).warnings).toEqual([]);
  });
});
