import { isRecord } from '../../arguments.js';
import type { ImageRegion } from '../../frames/types.js';
import type { Inspected, PictureRules } from '../types.js';

const MARGIN = 16;

/** The defects of a result that are to be cut out, as it tells them: they may be fractions, and reach beyond the picture. */
export function defectsOf(inspected: Inspected, { cutouts = 0 }: PictureRules): ImageRegion[] {
  const rects: unknown = 'data' in inspected ? inspected.data.defect_rects : undefined;
  if (!Array.isArray(rects)) return []; // an OK part may have null
  const regions = rects.filter(isRecord) as unknown as ImageRegion[];
  return regions.slice(0, cutouts).map(({ x, y, width, height }) => ({ x, y, width, height }));
}

/** What is cut out of a picture of this size: whole pixels within it, each region once. A region that is the whole picture is none. */
export function cutoutsIn(
  { width, height }: { width: number; height: number },
  defects: readonly ImageRegion[],
  { cutoutMargin = MARGIN }: PictureRules,
): ImageRegion[] {
  const found = new Map<string, ImageRegion>();
  for (const defect of defects) {
    const left = clamp(Math.floor(defect.x - cutoutMargin), width);
    const top = clamp(Math.floor(defect.y - cutoutMargin), height);
    const right = clamp(Math.ceil(defect.x + defect.width + cutoutMargin), width);
    const bottom = clamp(Math.ceil(defect.y + defect.height + cutoutMargin), height);
    const region = { x: left, y: top, width: right - left, height: bottom - top };
    if (!(region.width > 0 && region.height > 0)) continue;
    if (region.width === width && region.height === height) continue;
    found.set(JSON.stringify(region), region);
  }
  return [...found.values()];
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value));
}
