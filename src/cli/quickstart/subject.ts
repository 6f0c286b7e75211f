import { drawBoard } from './board.js';
import { copy, fill, readPicture, type Box, type Colour, type Picture } from '../picture/picture.js';

/** One picture to inspect, and the name of the file its result goes to. */
export interface Inspection {
  title: string;
  picture: Picture;
  file: string;
}

/** What to inspect, and the picture of a good board that the algorithm is given. */
export interface Subject {
  reference: Picture;
  inspections: Inspection[];
}

const PAINT: Colour = [255, 0, 255];

/** Two boards drawn here; or a picture of the caller's, against his reference or against itself with a part painted over. */
export async function chooseSubject(image?: string, reference?: string): Promise<Subject> {
  if (image === undefined) return drawnBoards();
  const picture = await readPicture(image);
  if (reference === undefined) return paintedOver(picture);
  return {
    reference: await readPicture(reference),
    inspections: [{ title: image, picture, file: 'inspected.png' }],
  };
}

function drawnBoards(): Subject {
  return {
    reference: drawBoard({ seed: 1 }),
    inspections: [
      { title: 'A good board', picture: drawBoard({ seed: 2 }), file: 'good-board.png' },
      {
        title: 'A board without R2',
        picture: drawBoard({ seed: 3, without: 'R2' }),
        file: 'missing-part.png',
      },
    ],
  };
}

function paintedOver(picture: Picture): Subject {
  const share = (part: number, of: number) => Math.round(part * of);
  const { width, height } = picture;
  const part: Box = {
    x: share(0.55, width),
    y: share(0.3, height),
    width: share(0.1, width),
    height: share(0.1, height),
  };
  const spoiled = copy(picture);
  fill(spoiled, part, PAINT);
  return {
    reference: picture,
    inspections: [
      { title: 'The picture as it is', picture, file: 'untouched.png' },
      {
        title: `The picture with ${part.width} x ${part.height} at ${part.x}, ${part.y} painted over`,
        picture: spoiled,
        file: 'painted-over.png',
      },
    ],
  };
}
