/** Pictures in all file formats that are taken, made by Pillow, OpenCV and tifffile, and what their pixels are by NumPy. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { EncodedMeta } from '../../src/frames/types.js';
import { runWithLibraries } from './picture-libraries.js';

/** A picture, and what is to become of it: pixels, or a refusal. */
export interface PictureFile {
  title: string;
  file: string;
  options: EncodedMeta;
  /** Of the pixels: height, width, and 3 for colours. */
  shape: number[];
  /** The pixels; empty where it is to be refused. */
  pixels: Buffer;
  /** What the refusal says. */
  fault?: string;
}

const SCRIPT = `
import io, json, os, struct, sys, zlib
import cv2, numpy as np, tifffile
from PIL import Image, ImageOps

folder = json.load(open(sys.argv[1]))["folder"]
rng = np.random.default_rng(27)
H, W = 23, 37
gray = rng.integers(0, 256, (H, W), np.uint8)
rgb = rng.integers(0, 256, (H, W, 3), np.uint8)
rgba = rng.integers(0, 256, (H, W, 4), np.uint8)
gray16 = rng.integers(0, 65536, (H, W), np.uint16)
rgb16 = rng.integers(0, 65536, (H, W, 3), np.uint16)
rgba16 = rng.integers(0, 65536, (H, W, 4), np.uint16)
smooth = cv2.GaussianBlur(rgb, (9, 9), 3)
SHIFT, RANGE = {"toEightBits": "shift"}, {"toEightBits": {"min": 1000, "max": 40000}}
cases = []

def stretched(values):
    return np.floor((np.clip(values.astype(float), 1000, 40000) - 1000) * 255 / 39000 + 0.5).astype(np.uint8)

def turned(values, orientation):
    return {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: np.swapaxes(a, 0, 1),
            6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2), 8: np.rot90}[orientation](values)

def add(title, content, expected=None, options={}, fault=None):
    name = "p%d" % len(cases)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)
    case = {"title": title, "file": name, "options": options}
    if fault is None:
        expected = np.ascontiguousarray(expected)
        expected.tofile(os.path.join(folder, name + ".raw"))
        case["shape"] = list(expected.shape)
    else:
        case["fault"] = fault
    cases.append(case)

def pillow(image, kind, **options):
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, kind, **options)
    return out.getvalue()

def opencv(image, kind, *options):
    return cv2.imencode(kind, image, list(options))[1].tobytes()

def tiff(image, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, image, **options)
    return out.getvalue()

def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags

def with_chunk(png, kind, data):
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + chunk + png[33:]

# PNG
add("PNG of gray", pillow(gray, "PNG"), gray)
add("PNG of gray with sRGB and gAMA", with_chunk(with_chunk(opencv(gray, ".png"), b"gAMA", struct.pack(">I", 100000)), b"sRGB", b"\\0"), gray)
add("PNG of RGB", pillow(rgb, "PNG"), rgb)
add("PNG of RGBA, its colours as they are in it", pillow(rgba, "PNG"), rgba[:, :, :3])
add("PNG of gray with alpha", pillow(Image.fromarray(rgba[:, :, :2], "LA"), "PNG"), rgba[:, :, 0])
add("PNG of 16-bit gray, shifted", opencv(gray16, ".png"), (gray16 >> 8).astype(np.uint8), SHIFT)
add("PNG of 16-bit gray, stretched", opencv(gray16, ".png"), stretched(gray16), RANGE)
add("PNG of 16-bit RGB, shifted", opencv(rgb16[:, :, ::-1], ".png"), (rgb16 >> 8).astype(np.uint8), SHIFT)
add("PNG of 16-bit RGBA, stretched", opencv(rgba16[:, :, [2, 1, 0, 3]], ".png"), stretched(rgba16[:, :, :3]), RANGE)
add("PNG of 16 bits without a rule", opencv(gray16, ".png"), fault="16 bits a channel.*toEightBits")
for colours in (2, 4, 16, 200):
    image = Image.fromarray(rgb).quantize(colours)
    add("PNG with a palette of %d" % colours, pillow(image, "PNG"), np.array(image.convert("RGB")))
image = Image.fromarray(rgb).quantize(64)
add("PNG with a palette and a transparent colour", pillow(image, "PNG", transparency=3), np.array(image.convert("RGB")))
add("PNG with a transparent colour", pillow(rgb, "PNG", transparency=(1, 2, 3)), rgb)
add("PNG of 1 bit", pillow(Image.fromarray(gray > 127), "PNG"), np.where(gray > 127, 255, 0).astype(np.uint8))
for orientation in range(1, 9):
    add("PNG with orientation %d" % orientation, pillow(rgb, "PNG", exif=exif(orientation)), turned(rgb, orientation))

# JPEG
def decoded(jpeg):
    return np.array(Image.open(io.BytesIO(jpeg)).convert("RGB"))
for orientation in range(1, 9):
    jpeg = pillow(smooth, "JPEG", quality=92, exif=exif(orientation))
    add("JPEG with orientation %d" % orientation, jpeg, turned(decoded(jpeg), orientation))
    if orientation == 6:
        add("JPEG with orientation 6 that is to be ignored", jpeg, decoded(jpeg), {"orientation": "ignore"})
        add("JPEG with orientation 6 of the size it has then", jpeg, turned(decoded(jpeg), 6), {"width": H, "height": W})
        add("JPEG with orientation 6 of the size it is stored with", jpeg, options={"width": W, "height": H}, fault="23 x 37 pixels when it is turned.*37 x 23")
add("JPEG of gray", pillow(cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY), "JPEG"), np.array(Image.open(io.BytesIO(pillow(cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY), "JPEG")))))
add("JPEG of CMYK", pillow(Image.fromarray(rgba, "CMYK"), "JPEG"), fault="CMYK: save it as gray or RGB")
profile = b"\\0" * 128
add("JPEG with a colour profile, which is not applied", pillow(smooth, "JPEG", icc_profile=__import__("PIL.ImageCms", fromlist=["x"]).ImageCmsProfile(__import__("PIL.ImageCms", fromlist=["x"]).createProfile("LAB")).tobytes()), decoded(pillow(smooth, "JPEG")))

# BMP
add("BMP of 24 bits", pillow(rgb, "BMP"), rgb)
add("BMP of 24 bits by OpenCV", opencv(rgb[:, :, ::-1], ".bmp"), rgb)
add("BMP of gray", pillow(gray, "BMP"), gray)
add("BMP of gray by OpenCV", opencv(gray, ".bmp"), gray)
add("BMP of 32 bits", pillow(rgba, "BMP"), rgba[:, :, :3])
add("BMP of 32 bits with masks, by OpenCV", opencv(rgba[:, :, [2, 1, 0, 3]], ".bmp"), rgba[:, :, :3])
image = Image.fromarray(rgb).quantize(50)
add("BMP with a palette", pillow(image, "BMP"), np.array(image.convert("RGB")))
add("BMP of 1 bit", pillow(Image.fromarray(gray > 127), "BMP"), np.where(gray > 127, 255, 0).astype(np.uint8))
bottom_up = bytearray(pillow(rgb, "BMP"))
rows = [bytes(bottom_up[54 + row * 112 : 54 + (row + 1) * 112]) for row in range(H)]
add("BMP with its first row on top", bytes(bottom_up[:22]) + struct.pack("<i", -H) + bytes(bottom_up[26:54]) + b"".join(rows[::-1]), rgb)
add("BMP that ends early", bytes(bottom_up[:-5]), fault="BMP that ends early")

# TIFF
add("TIFF of gray", tiff(gray), gray)
add("TIFF of RGB", tiff(rgb, photometric="rgb"), rgb)
add("TIFF of RGB, LZW, by Pillow", pillow(rgb, "TIFF", compression="tiff_lzw"), rgb)
add("TIFF of RGB in tiles, big-endian", tiff(rgb, photometric="rgb", tile=(16, 16), byteorder=">"), rgb)
add("TIFF of RGB in separate planes", tiff(np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate"), rgb)
add("TIFF of RGB with alpha", tiff(rgba, photometric="rgb", extrasamples=["unassalpha"]), rgba[:, :, :3])
for values in (rgba, rgba16):
    kind = "TIFF of %d bits by OpenCV, which does not say what its fourth channel is" % (8 * values.itemsize)
    unnamed = opencv(values[:, :, [2, 1, 0, 3]], ".tiff")
    add(kind, unnamed, values[:, :, :3] if values is rgba else (rgba16[:, :, :3] >> 8).astype(np.uint8), SHIFT)
    add(kind + ", cut off", unnamed[:len(unnamed) // 2], options=SHIFT, fault="cannot be decoded|cut off|damaged")
add("TIFF of 16-bit gray", tiff(gray16), (gray16 >> 8).astype(np.uint8), SHIFT)
add("TIFF of 16-bit gray, big-endian", tiff(gray16, byteorder=">"), stretched(gray16), RANGE)
add("TIFF of 16-bit gray by Pillow, big-endian", pillow(Image.frombytes("I;16B", (W, H), gray16.astype(">u2").tobytes()), "TIFF"), (gray16 >> 8).astype(np.uint8), SHIFT)
add("TIFF of 16-bit RGB", tiff(rgb16, photometric="rgb"), (rgb16 >> 8).astype(np.uint8), SHIFT)
add("TIFF of 16-bit RGB, big-endian", tiff(rgb16, photometric="rgb", byteorder=">"), stretched(rgb16), RANGE)
add("TIFF in which white is 0", tiff(gray, photometric="miniswhite"), 255 - gray)
add("TIFF of 1 bit", pillow(Image.fromarray(gray > 127), "TIFF"), np.where(gray > 127, 255, 0).astype(np.uint8))
image = Image.fromarray(rgb).quantize(50)
add("TIFF with a palette", pillow(image, "TIFF"), np.array(image.convert("RGB")))
for orientation in range(1, 9):
    add("TIFF with orientation %d" % orientation, tiff(rgb, photometric="rgb", extratags=[(274, 3, 1, orientation, True)]), turned(rgb, orientation))
add("TIFF with orientation 8 that is to be ignored", tiff(rgb, photometric="rgb", extratags=[(274, 3, 1, 8, True)]), rgb, {"orientation": "ignore"})
add("TIFF of 16 bits without a rule", tiff(gray16), fault="16 bits a channel.*toEightBits")
add("TIFF of 16 bits in which white is 0", tiff(gray16, photometric="miniswhite"), options=SHIFT, fault="white is 0")
add("TIFF of 16 bits in separate planes", tiff(np.moveaxis(rgb16, 2, 0), photometric="rgb", planarconfig="separate"), options=SHIFT, fault="separate planes")
add("TIFF of five bands", tiff(np.dstack([rgb, gray, gray]), photometric="rgb", extrasamples=["unspecified"] * 2), fault="5 channels")
add("TIFF of numbers with a fraction", tiff(gray.astype(np.float32)), fault="sign or a fraction")
add("TIFF of CMYK", pillow(Image.fromarray(rgba, "CMYK"), "TIFF"), fault="CMYK")
add("TIFF of 32 bits", tiff(gray16.astype(np.uint32)), options=SHIFT, fault="32 bits")
add("TIFF that is cut off", tiff(rgb, photometric="rgb")[:-700], fault="cannot be decoded|cut off")

# WebP
add("WebP without loss", pillow(rgb, "WEBP", lossless=True), rgb)
add("WebP with alpha, its colours as they are in it", pillow(rgba, "WEBP", lossless=True, exact=True), rgba[:, :, :3])
lossy = pillow(smooth, "WEBP", quality=80)
add("WebP with loss", lossy, decoded(lossy))
for orientation in range(1, 9):
    add("WebP with orientation %d" % orientation, pillow(rgb, "WEBP", lossless=True, exif=exif(orientation)), turned(rgb, orientation))
# Pillow takes one prefix off.
prefixed = b"Exif\\0\\0" + exif(6).tobytes()
add("WebP with orientation 6 as libvips writes it", pillow(rgb, "WEBP", lossless=True, exif=prefixed), turned(rgb, 6))
add("WebP that moves", pillow(Image.fromarray(rgb), "WEBP", save_all=True, append_images=[Image.fromarray(rgb[::-1].copy())]), fault="several pictures")
add("WebP that is cut off", pillow(rgb, "WEBP", lossless=True)[:-300], fault="cannot be decoded|ends early")
for kind, values in (("PGM of 8 bits", gray), ("PGM of 16 bits", gray16)):
    add(kind + ", which Pillow scales by its maximum and OpenCV does not", opencv(values, ".pgm"), options=SHIFT, fault="a PGM or PPM, whose maximum decoders read in two ways, and neither")
add("PPM", pillow(rgb, "PPM"), fault="a PGM or PPM, whose maximum")
add("BigTIFF", tiff(rgb, photometric="rgb", bigtiff=True), fault="a BigTIFF, and neither")
add("GIF", pillow(gray, "GIF"), fault="a GIF, and neither a JPEG, a PNG, a BMP, a TIFF nor a WebP")
print(json.dumps(cases))
`;

/** Makes them in a folder. */
export async function makePictureFiles(folder: string): Promise<PictureFile[]> {
  const made = (await runWithLibraries(SCRIPT, { folder })) as (Omit<PictureFile, 'pixels' | 'shape'> & {
    shape?: number[];
  })[];
  return Promise.all(
    made.map(async (one) => ({
      ...one,
      shape: one.shape ?? [],
      file: path.join(folder, one.file),
      pixels:
        one.fault === undefined ? await readFile(path.join(folder, `${one.file}.raw`)) : Buffer.alloc(0),
    })),
  );
}
