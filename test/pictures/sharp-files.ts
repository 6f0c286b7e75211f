import sharp, { type PngOptions, type TiffOptions } from 'sharp';
import { Shelf, type Base, type Picture } from './pictures.js';

const open = ({ data, width, height, channels, bits }: Base) => {
  const image = sharp(data, { raw: { width, height, channels } });
  if (bits === 16) return image.toColourspace(channels < 3 ? 'grey16' : 'rgb16');
  return channels < 3 ? image.toColourspace('b-w') : image;
};
const kept = ({ channels }: Base): 1 | 3 => (channels < 3 ? 1 : 3);

const PNGS: readonly PngOptions[] = [
  { compressionLevel: 0 },
  { compressionLevel: 9, adaptiveFiltering: true },
  { progressive: true },
];
const TIFFS: readonly TiffOptions[] = [
  { compression: 'none' },
  { compression: 'lzw', predictor: 'horizontal' },
  { compression: 'deflate', predictor: 'none' },
  { compression: 'packbits', predictor: 'none' },
  { compression: 'lzw', tile: true, tileWidth: 32, tileHeight: 32 },
];

/** Pictures that sharp writes. */
export async function sharpFiles(folder: string, bases: ReadonlyMap<string, Base>): Promise<Picture[]> {
  const shelf = new Shelf(folder, 'sharp');
  for (const base of bases.values()) {
    const { name, bits, channels } = base;
    if (name.startsWith('smooth')) {
      if (bits === 8) await addLossy(shelf, base);
      continue;
    }
    for (const options of PNGS) {
      const content = await open(base).png(options).toBuffer();
      const title = `PNG of ${name}, ${JSON.stringify(options)}`;
      if (bits === 16) await shelf.addSixteen(title, content, name, kept(base));
      else await shelf.add(title, content, { base: name, channels: kept(base) });
    }
    if (channels === 2) continue;
    for (const options of TIFFS) {
      const content = await open(base).tiff(options).toBuffer();
      const title = `TIFF of ${name}, ${JSON.stringify(options)}`;
      if (bits === 16) await shelf.addSixteen(title, content, name, kept(base));
      else await shelf.add(title, content, { base: name, channels: kept(base) });
    }
  }
  await addOthers(shelf, bases);
  return shelf.pictures;
}

async function addLossy(shelf: Shelf, base: Base): Promise<void> {
  const { name, channels } = base;
  if (channels === 2) return;
  if (channels === 4) {
    await shelf.add(`WebP of ${name}`, await open(base).webp({ quality: 70 }).toBuffer(), {
      decodedBy: 'opencv',
    });
    return;
  }
  for (const options of [
    { quality: 30 },
    { quality: 95, chromaSubsampling: '4:4:4' },
    { quality: 80, progressive: true },
    { quality: 75, mozjpeg: true },
    { quality: 90, optimiseCoding: false },
  ]) {
    const content = await open(base).jpeg(options).toBuffer();
    await shelf.add(`JPEG of ${name}, ${JSON.stringify(options)}`, content, { decodedBy: 'opencv' });
  }
  for (const options of [{ quality: 80 }, { nearLossless: true, quality: 60 }, { lossless: true }]) {
    const content = await open(base).webp(options).toBuffer();
    await shelf.add(`WebP of ${name}, ${JSON.stringify(options)}`, content, { decodedBy: 'opencv' });
  }
  const palette = await open(base).png({ palette: true, colours: 32 }).toBuffer();
  await shelf.add(`PNG of ${name} with a palette`, palette, { decodedBy: 'pillow' });
}

async function addOthers(shelf: Shelf, bases: ReadonlyMap<string, Base>): Promise<void> {
  const rgb = bases.get('rgb8 37x23');
  const gray = bases.get('gray8 37x23');
  const smooth = bases.get('smooth-rgb8 37x23');
  if (!rgb || !gray || !smooth) throw new Error('there are no pixels to make them of');
  for (let orientation = 1; orientation <= 8; orientation++) {
    const turned = (base: Base) => open(base).withMetadata({ orientation });
    const title = `with orientation ${orientation}`;
    await shelf.add(`PNG ${title}`, await turned(rgb).png().toBuffer(), {
      base: rgb.name,
      channels: 3,
      orientation,
    });
    await shelf.add(`TIFF ${title}`, await turned(rgb).tiff({ compression: 'lzw' }).toBuffer(), {
      ...{ base: rgb.name, channels: 3 as const, orientation },
    });
    const jpeg = await turned(smooth).jpeg().toBuffer();
    await shelf.add(`JPEG ${title}`, jpeg, { decodedBy: 'opencv', orientation });
    await shelf.add(
      `JPEG ${title} that is to be ignored`,
      jpeg,
      { decodedBy: 'opencv' },
      { orientation: 'ignore' },
    );
    await shelf.add(`WebP ${title}`, await turned(smooth).webp({ lossless: true }).toBuffer(), {
      ...{ base: smooth.name, channels: 3 as const, orientation },
    });
  }
  const bit = await open(gray).threshold(128).tiff({ bitdepth: 1, compression: 'none' }).toBuffer();
  await shelf.add('TIFF of 1 bit', bit, { base: gray.name, channels: 1, bits: 1 });
  const white = await open(gray).tiff({ miniswhite: true, compression: 'none' }).toBuffer();
  await shelf.add('TIFF in which white is 0', white, { base: gray.name, channels: 1 });
  const cmyk = await open(rgb).toColourspace('cmyk').jpeg().toBuffer();
  await shelf.add('JPEG of CMYK', cmyk, { fault: 'CMYK' });
  const cmykTiff = await open(rgb).toColourspace('cmyk').tiff().toBuffer();
  await shelf.add('TIFF of CMYK', cmykTiff, { fault: 'CMYK' });
  await shelf.add('BigTIFF', await open(rgb).tiff({ bigtiff: true }).toBuffer(), {
    fault: 'a BigTIFF, and neither',
  });
  await shelf.add('GIF', await open(rgb).gif().toBuffer(), { fault: 'a GIF, and neither' });
  await shelf.add('AVIF', await open(rgb).avif().toBuffer(), { fault: 'an AVIF or HEIF, and neither' });
  const profile = await open(smooth).jpeg().withIccProfile('p3').toBuffer();
  await shelf.add('JPEG with a colour profile, which is not applied', profile, { decodedBy: 'opencv' });
  const two = [await open(rgb).png().toBuffer(), await open(rgb).negate().png().toBuffer()];
  const moving = await sharp(two, { join: { animated: true } })
    .webp({ lossless: true })
    .toBuffer();
  await shelf.add('WebP that moves', moving, { fault: 'several pictures' });
}
