/**
 * What is drawn over a picture, and where: for annotated pictures, for reports, and for the page in a browser, which loads this file as
 * it is. It knows neither pixels nor a canvas: it gives filled rectangles and plates with text, and who draws fills them.
 *
 * @typedef {readonly [red: number, green: number, blue: number]} Rgb of 0 to 255
 * @typedef {{ x: number, y: number, width: number, height: number }} Place in pixels
 * @typedef {Place & { label?: string, score?: number }} DefectBox in pixels of the picture
 * @typedef {{ status: 'OK' | 'ERROR', data?: { result_status?: string, defect_rects?: readonly DefectBox[] } }} Drawn
 * @typedef {Place & { colour: Rgb }} Fill
 * @typedef {Place & { text: string, unit: number, ink: Rgb, paper: Rgb }} Plate
 * @typedef {(text: string, unit: number) => { width: number, height: number }} Measure size of a plate with a text whose strokes are a unit wide
 */

/** Dark enough for white letters, and for letters on white (WCAG 2.2, 1.4.3). @type {Readonly<Record<'OK' | 'NG' | 'ERROR', Rgb>>} */
export const COLOURS = { OK: [24, 122, 58], NG: [220, 40, 40], ERROR: [154, 92, 0] };
/** @type {Rgb} */
const DARK = [12, 16, 20];
/** @type {Rgb} */
const LIGHT = [255, 255, 255];
/** Boxes that are drawn, at most: more than these hide the picture. */
const MOST_BOXES = 500;

/** The verdict as a word: OK, NG, ERROR where the algorithm failed, or a question mark. @param {Drawn} result */
export function verdictOf({ status, data }) {
  return status === 'ERROR' ? 'ERROR' : (data?.result_status ?? '?');
}

/** @param {string} verdict @returns {Rgb} */
export function colourOf(verdict) {
  return COLOURS[verdict === 'OK' || verdict === 'NG' ? verdict : 'ERROR'];
}

/** For a style sheet. @param {Rgb} colour */
export function cssColour([red, green, blue]) {
  return `rgb(${red}, ${green}, ${blue})`;
}

/** Number, label and score of a box, as they stand beside it and in lists. @param {DefectBox} box @param {number} index */
export function labelOf({ label, score }, index) {
  const sure = typeof score === 'number' ? score.toFixed(2) : undefined;
  return [index + 1, label, sure].filter((part) => part !== undefined && part !== '').join(' ');
}

/**
 * The four sides of a box, outside it: a line of its colour, and around that a light and a dark one. One of the three differs from
 * whatever is below.
 *
 * @param {Place} box @param {Rgb} colour @param {number} width of the coloured line @returns {Fill[]}
 */
export function boxLines(box, colour, width) {
  const thin = Math.max(1, Math.round(width / 3));
  return [
    ...sides(box, width + thin, thin, LIGHT),
    ...sides(box, width + 2 * thin, thin, DARK),
    ...sides(box, width, width, colour),
  ];
}

/** @param {Place} box @param {number} outside how far it reaches out @param {number} width @param {Rgb} colour @returns {Fill[]} */
function sides({ x, y, width: columns, height: rows }, outside, width, colour) {
  const [left, top] = [x - outside, y - outside];
  const [across, down] = [columns + 2 * outside, rows + 2 * outside];
  return [
    { x: left, y: top, width: across, height: width, colour },
    { x: left, y: top + down - width, width: across, height: width, colour },
    { x: left, y: top, width, height: down, colour },
    { x: left + across - width, y: top, width, height: down, colour },
  ];
}

/**
 * Everything that is drawn over a picture, the lowest first.
 *
 * @param {object} o
 * @param {number} o.width of what is drawn on
 * @param {number} o.height of what is drawn on
 * @param {number} o.scale of what is drawn on to the picture
 * @param {Drawn} o.result
 * @param {Measure} o.measure
 * @param {boolean} [o.verdict] also the verdict: a frame of its colour and its word. Left out: yes
 * @param {boolean} [o.labels] also the labels of boxes. Left out: yes
 * @param {number} [o.line] width of the lines of boxes. Left out: by the size
 * @param {number} [o.unit] stroke of labels. Left out: by the size
 * @returns {{ fills: Fill[], plates: Plate[] }}
 */
export function marksOf({ width, height, scale, result, measure, verdict = true, labels = true, ...o }) {
  const least = Math.min(width, height);
  const thick = Math.max(1, Math.round(least / 80));
  const { line = Math.max(1, Math.round(thick / 2)), unit = Math.max(1, Math.round(least / 240)) } = o;
  const boxes = (result.data?.defect_rects ?? []).slice(0, MOST_BOXES).map((box) => ({
    ...box,
    ...{ x: box.x * scale, y: box.y * scale, width: box.width * scale, height: box.height * scale },
  }));
  const word = verdictOf(result);
  const colour = colourOf(word);
  /** @type {Fill[]} */
  const frame = verdict
    ? sides(
        { x: thick, y: thick, width: width - 2 * thick, height: height - 2 * thick },
        thick,
        thick,
        colour,
      )
    : [];
  /** @type {Plate[]} */
  const plates = (labels ? boxes : []).map((box, index) =>
    plateOf(box, labelOf(box, index), { width, height, line, unit, measure }),
  );
  if (verdict) {
    const large = Math.max(1, Math.round(least / 120));
    plates.push({
      x: 2 * thick,
      y: 2 * thick,
      ...measure(word, large),
      text: word,
      unit: large,
      ink: LIGHT,
      paper: colour,
    });
  }
  const fills = [...frame, ...boxes.flatMap((box) => boxLines(box, COLOURS.NG, line))];
  return { fills, plates };
}

/**
 * Where the label of a box stands: above it, or below where there is no room, and always inside the picture.
 *
 * @param {Place} box @param {string} text
 * @param {{ width: number, height: number, line: number, unit: number, measure: Measure }} o @returns {Plate}
 */
function plateOf(box, text, { width, height, line, unit, measure }) {
  const size = measure(text, unit);
  const away = 2 * line + 1;
  const above = box.y - away - size.height;
  const y = above >= 0 ? above : box.y + box.height + away;
  const within = (/** @type {number} */ at, /** @type {number} */ most) => Math.max(0, Math.min(at, most));
  return {
    ...size,
    ...{ x: within(box.x - line, width - size.width), y: within(y, height - size.height) },
    ...{ text, unit, ink: LIGHT, paper: COLOURS.NG },
  };
}
