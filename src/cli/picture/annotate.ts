import type { InspectionResult } from 'procvision-runner';
import { write } from './letters.js';
import { copy, outline, readPicture, writePng, type Picture } from './picture.js';

const GREEN = [40, 150, 70] as const;
const RED = [220, 40, 40] as const;
const AMBER = [190, 120, 0] as const;

/** Reads a picture, draws what came of it, and writes it as a PNG. @throws InputError for a picture that cannot be read */
export async function annotateFile(file: string, target: string, result: InspectionResult): Promise<void> {
  await writePng(target, annotate(await readPicture(file), result));
}

/** The picture with its defect boxes and its verdict as a word, in a frame of the verdict's colour. */
export function annotate(picture: Picture, { status, data }: InspectionResult): Picture {
  const annotated = copy(picture);
  const { width, height } = picture;
  const verdict = status === 'ERROR' ? 'ERROR' : (data.result_status ?? '?');
  const colour = verdict === 'OK' ? GREEN : verdict === 'NG' ? RED : AMBER;
  const thick = Math.max(1, Math.round(Math.min(width, height) / 80));
  outline(
    annotated,
    { x: thick, y: thick, width: width - 2 * thick, height: height - 2 * thick },
    colour,
    thick,
  );
  for (const box of data.defect_rects ?? []) outline(annotated, box, RED, Math.max(1, Math.round(thick / 2)));
  write(
    annotated,
    verdict,
    { x: 2 * thick, y: 2 * thick },
    colour,
    Math.max(1, Math.round(Math.min(width, height) / 120)),
  );
  return annotated;
}
