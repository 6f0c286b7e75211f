import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  ColorType,
  CompressionMethod,
  Endian,
  ImageMagick,
  initializeImageMagick,
  Interlace,
  MagickReadSettings,
  Orientation,
  Percentage,
  type IMagickImage,
  type MagickFormat,
} from '@imagemagick/magick-wasm';
import { Shelf, type Base, type Picture } from './pictures.js';

const WASM = fileURLToPath(import.meta.resolve('@imagemagick/magick-wasm/magick.wasm'));
const RAW = ['GRAY', 'GRAYA', 'RGB', 'RGBA'] as const;

function write(
  base: Base,
  format: string,
  change: (image: IMagickImage) => unknown = () => undefined,
): Uint8Array {
  const settings = new MagickReadSettings({
    format: RAW[base.channels - 1] as MagickFormat,
    ...{ width: base.width, height: base.height, depth: 8 },
  });
  let content = new Uint8Array(0);
  ImageMagick.read(base.data as Uint8Array, settings, (image) => {
    change(image);
    image.write(format as MagickFormat, (data) => {
      content = Uint8Array.from(data);
    });
  });
  return content;
}

/** Pictures that ImageMagick writes: its build in WebAssembly, which has 8 bits a channel. */
export async function magickFiles(folder: string, bases: ReadonlyMap<string, Base>): Promise<Picture[]> {
  await initializeImageMagick(readFileSync(WASM));
  const shelf = new Shelf(folder, 'ImageMagick');
  for (const base of bases.values()) {
    const { name, bits, channels } = base;
    if (bits === 16 || channels === 2) continue;
    const kept = channels === 1 ? 1 : 3;
    if (name.startsWith('smooth')) {
      if (channels !== 4) await addLossy(shelf, base);
      continue;
    }
    const same = { base: name, channels: kept } as const;
    await shelf.add(`PNG of ${name}`, write(base, 'PNG'), same);
    await shelf.add(
      `PNG of ${name}, interlaced`,
      write(base, 'PNG', (image) => (image.settings.interlace = Interlace.Png)),
      same,
    );
    await shelf.add(`BMP of ${name}`, write(base, 'BMP'), same);
    await shelf.add(`BMP3 of ${name}`, write(base, 'BMP3'), same);
    for (const compression of ['NoCompression', 'LZW', 'Zip', 'RLE'] as const) {
      for (const endian of ['LSB', 'MSB'] as const) {
        const content = write(base, 'TIFF', (image) => {
          image.settings.compression = CompressionMethod[compression];
          image.settings.endian = Endian[endian];
        });
        await shelf.add(`TIFF of ${name}, ${compression}, ${endian}`, content, same);
      }
    }
    const webp = write(base, 'WEBP', (image) => {
      image.settings.setDefine('WEBP', 'lossless', 'true');
      image.settings.setDefine('WEBP', 'exact', 'true');
    });
    await shelf.add(`WebP of ${name} without loss`, webp, { base: name, channels: 3 });
  }
  await addOthers(shelf, bases);
  return shelf.pictures;
}

async function addLossy(shelf: Shelf, base: Base): Promise<void> {
  for (const [quality, sampling, interlace] of [
    [50, '4:2:0', Interlace.NoInterlace],
    [85, '4:2:2', Interlace.Plane],
    [100, '4:4:4', Interlace.NoInterlace],
    [90, '4:4:0', Interlace.NoInterlace],
  ] as const) {
    const content = write(base, 'JPEG', (image) => {
      image.quality = quality;
      image.settings.interlace = interlace;
      image.settings.setDefine('JPEG', 'sampling-factor', sampling);
    });
    await shelf.add(`JPEG of ${base.name}, ${quality}, ${sampling}`, content, { decodedBy: 'opencv' });
  }
  const webp = write(base, 'WEBP', (image) => (image.quality = 60));
  await shelf.add(`WebP of ${base.name}`, webp, { decodedBy: 'opencv' });
  await shelf.add(`PNG of ${base.name} with a palette`, write(base, 'PNG8'), { decodedBy: 'pillow' });
}

async function addOthers(shelf: Shelf, bases: ReadonlyMap<string, Base>): Promise<void> {
  const rgb = bases.get('rgb8 37x23');
  const gray = bases.get('gray8 37x23');
  if (!rgb || !gray) throw new Error('there are no pixels to make them of');
  for (const [name, orientation] of [
    ['TopRight', 2],
    ['BottomRight', 3],
    ['RightTop', 6],
    ['LeftBottom', 8],
  ] as const) {
    const content = write(rgb, 'TIFF', (image) => (image.orientation = Orientation[name]));
    await shelf.add(`TIFF with orientation ${orientation}`, content, {
      base: rgb.name,
      channels: 3,
      orientation,
    });
  }
  const bit = write(gray, 'TIFF', (image) => {
    image.threshold(new Percentage(50));
    image.colorType = ColorType.Bilevel;
    image.settings.compression = CompressionMethod.Group4;
  });
  await shelf.add('TIFF of 1 bit, Group 4', bit, { decodedBy: 'pillow' });
  const rle = write(gray, 'BMP', (image) => (image.settings.compression = CompressionMethod.RLE));
  await shelf.add(
    'BMP of gray, run-length',
    rle,
    rle[30] === 0 ? { base: gray.name, channels: 1 } : { fault: 'compressed' },
  );
  await shelf.add('BMP of OS/2', write(rgb, 'BMP2'), { fault: 'OS/2' });
  for (const [format, fault] of [
    ['PGM', 'a PGM or PPM, whose maximum decoders read in two ways, and neither'],
    ['PPM', 'a PGM or PPM, whose maximum decoders read in two ways, and neither'],
    ['PAM', 'a PAM, and neither'],
    ['GIF', 'a GIF, and neither'],
    ['TGA', 'is neither'],
    ['PCX', 'is neither'],
    ['PSD', 'a Photoshop file, and neither'],
    ['ICO', 'is neither'],
    ['JP2', 'a JPEG 2000, and neither'],
    ['MIFF', 'is neither'],
  ] as const) {
    await shelf.add(format, write(rgb, format), { fault });
  }
}
