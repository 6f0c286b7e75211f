import { readFile, writeFile } from 'node:fs/promises';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { fill, type Box, type Canvas, type Colour } from '../../acceptance/drawing/canvas.js';

export { fill, type Box, type Colour };

/** An RGB picture: width × height × 3 bytes, row-major. */
export type Picture = Canvas;

export function blank(width: number, height: number, colour: Colour): Picture {
  const picture = { width, height, data: new Uint8Array(width * height * 3) };
  fill(picture, { x: 0, y: 0, width, height }, colour);
  return picture;
}

export function copy(picture: Picture): Picture {
  return { ...picture, data: picture.data.slice() };
}

/** What the caller gave cannot be used; the message says why. */
export class InputError extends Error {}

/** Reads a PNG or JPEG file; alpha is dropped. @throws InputError naming the file and the fault */
export async function readPicture(file: string): Promise<Picture> {
  const { width, height, data } = await decode(file).catch((cause: unknown) => {
    const fault = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`${file} cannot be read as a picture: ${fault}`, { cause });
  });
  const rgb = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    rgb.set(data.subarray(pixel * 4, pixel * 4 + 3), pixel * 3);
  }
  return { width, height, data: rgb };
}

async function decode(file: string): Promise<{ width: number; height: number; data: Uint8Array }> {
  const bytes = await readFile(file);
  if (bytes.subarray(1, 4).toString('latin1') === 'PNG') return PNG.sync.read(bytes);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpeg.decode(bytes, { useTArray: true });
  throw new Error('it is neither a PNG nor a JPEG');
}

/** As RGB: a picture with an alpha channel could not be inspected in its turn. */
export async function writePng(file: string, { width, height, data }: Picture): Promise<void> {
  const png = new PNG({ width, height });
  png.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  await writeFile(file, PNG.sync.write(png, { colorType: 2, inputColorType: 2, inputHasAlpha: false }));
}

/** Binary PPM, the format that takes three lines of Python to read. */
export function encodePpm(picture: Picture): Buffer {
  return Buffer.concat([Buffer.from(`P6\n${picture.width} ${picture.height}\n255\n`), picture.data]);
}
