/** Draws a picture with what was found in it, by the same rules as annotated pictures and reports (marks.mjs). */
import { cssColour, marksOf } from './marks.mjs';

/** Type of labels, in pixels for a stroke of one. */
const LETTERS = 7;
const font = (unit) => `600 ${LETTERS * unit}px system-ui, sans-serif`;

function measureWith(context) {
  return (text, unit) => {
    context.font = font(unit);
    return { width: context.measureText(text).width + 4 * unit, height: (LETTERS + 3) * unit };
  };
}

/** Fills a canvas of any size with a picture, scaled to it, and its marks. Without a picture the marks stand on gray. */
function paint(canvas, bitmap, scale, result, o) {
  const context = canvas.getContext('2d');
  const { width, height } = canvas;
  context.imageSmoothingQuality = 'high';
  context.fillStyle = '#6d7780';
  context.fillRect(0, 0, width, height);
  if (bitmap) context.drawImage(bitmap, 0, 0, width, height);
  if (!result) return;
  const { fills, plates } = marksOf({ width, height, scale, result, measure: measureWith(context), ...o });
  for (const { x, y, width: columns, height: rows, colour } of fills) {
    context.fillStyle = cssColour(colour);
    context.fillRect(Math.round(x), Math.round(y), Math.round(columns), Math.round(rows));
  }
  context.textBaseline = 'middle';
  for (const { x, y, width: columns, height: rows, text, unit, ink, paper } of plates) {
    context.fillStyle = cssColour(paper);
    context.fillRect(x, y, columns, rows);
    context.fillStyle = cssColour(ink);
    context.font = font(unit);
    context.fillText(text, x + 2 * unit, y + rows / 2);
  }
}

/** A picture of a file; `bitmap` is undefined where the browser cannot read the format. */
export async function decoded(picture) {
  const bitmap = await createImageBitmap(picture).catch(() => undefined);
  return { file: picture, bitmap, width: bitmap?.width ?? 0, height: bitmap?.height ?? 0 };
}

/** A view that keeps its picture sharp at any size of the window. */
export function pictureView(canvas, frame) {
  let shown;
  const draw = () => {
    if (!shown || frame.clientWidth === 0) return;
    const { bitmap, width, height, result } = shown;
    const ratio = Math.min(frame.clientWidth / width, frame.clientHeight / height);
    const dense = globalThis.devicePixelRatio || 1;
    const [columns, rows] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    canvas.style.width = `${columns}px`;
    canvas.style.height = `${rows}px`;
    canvas.width = Math.round(columns * dense);
    canvas.height = Math.round(rows * dense);
    const [line, unit] = [Math.round(3 * dense), 1.7 * dense];
    paint(canvas, bitmap, canvas.width / width, result, { verdict: false, line, unit });
  };
  new ResizeObserver(draw).observe(frame);
  return {
    /** `bitmap` may be undefined, where the browser cannot read the format. */
    show(next) {
      if (shown?.bitmap && shown.bitmap !== next?.bitmap) shown.bitmap.close();
      shown = next;
      canvas.hidden = !next;
      draw();
    },
  };
}

const THUMB = { width: 112, height: 84 };

/** A small picture with its boxes, as a JPEG. */
export async function thumbnail({ bitmap, width, height, result }) {
  const ratio = Math.min(THUMB.width / width, THUMB.height / height);
  const canvas = Object.assign(document.createElement('canvas'), {
    width: Math.max(1, Math.round(width * ratio)),
    height: Math.max(1, Math.round(height * ratio)),
  });
  paint(canvas, bitmap, canvas.width / width, result, { verdict: false, labels: false, line: 2 });
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.8));
}

/** The size of what boxes lie in, where the picture itself is not to be had. */
export function sizeAround(boxes) {
  const right = Math.max(64, ...boxes.map(({ x, width }) => x + width));
  const bottom = Math.max(48, ...boxes.map(({ y, height }) => y + height));
  return { width: right * 1.1, height: bottom * 1.1 };
}
