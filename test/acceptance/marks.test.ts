import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boxLines, COLOURS, labelOf, marksOf, verdictOf } from '../../src/acceptance/drawing/marks.mjs';

type Colour = readonly [number, number, number];

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function luminance(colour: Colour): number {
  const [red = 0, green = 0, blue = 0] = colour.map((value) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast(one: Colour, other: Colour): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const measure = (text: string, unit: number) => ({ width: text.length * 6 * unit, height: 9 * unit });
const box = { x: 40, y: 40, width: 20, height: 20 };

test('a box on a background of any colour has a line that stands out from it', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.tuple(byte, byte, byte), (background) => {
      const lines = boxLines(box, COLOURS.NG, 3).map(({ colour }) => contrast(colour, background));
      expect(Math.max(...lines)).toBeGreaterThan(4);
    }),
  );
});

test('white letters on the colour of each verdict can be read', () => {
  for (const colour of Object.values(COLOURS)) expect(contrast(colour, [255, 255, 255])).toBeGreaterThan(4.5);
});

test('labels stay inside the picture, whichever corner their boxes are in', () => {
  const at = fc.record({
    x: fc.integer({ min: 0, max: 190 }),
    y: fc.integer({ min: 0, max: 90 }),
    width: fc.integer({ min: 1, max: 200 }),
    height: fc.integer({ min: 1, max: 100 }),
    label: fc.string({ maxLength: 12 }),
  });
  fc.assert(
    fc.property(fc.array(at, { maxLength: 5 }), (rects) => {
      const result = { status: 'OK' as const, data: { result_status: 'NG', defect_rects: rects } };
      const { plates } = marksOf({ width: 200, height: 100, scale: 1, result, measure });
      for (const { x, y, width, height } of plates) {
        expect([x >= 0, y >= 0, x + width <= 200, y + height <= 100]).toEqual([true, true, true, true]);
      }
    }),
  );
});

test('a verdict is a word: ERROR where the algorithm failed, a question mark where it gave none', () => {
  expect(verdictOf({ status: 'ERROR', data: { result_status: 'OK' } })).toBe('ERROR');
  expect(verdictOf({ status: 'OK', data: { result_status: 'NG' } })).toBe('NG');
  expect(verdictOf({ status: 'OK', data: {} })).toBe('?');
  expect(labelOf({ ...box, label: 'scratch', score: 0.934 }, 1)).toBe('2 scratch 0.93');
});

test('more boxes than a picture can show are not all drawn', () => {
  const data = { result_status: 'NG', defect_rects: Array.from({ length: 100_000 }, () => box) };
  const { plates } = marksOf({ width: 200, height: 100, scale: 1, result: { status: 'OK', data }, measure });
  expect(plates.length).toBeLessThan(1_000);
});
