import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runWithLibraries } from '../support/picture-libraries.js';
import type { Base, Picture } from './pictures.js';

const COMMON = `
import io, json, os, sys
import cv2, numpy as np
from PIL import Image
given = json.load(open(sys.argv[1]))
folder = given["folder"]
bases = {}
for base in given["bases"]:
    kind = np.uint8 if base["bits"] == 8 else np.uint16
    values = np.fromfile(os.path.join(folder, base["file"]), kind).reshape(base["height"], base["width"], base["channels"])
    bases[base["name"]] = values[:, :, 0] if base["channels"] == 1 else values
`;

const WRITE = `${COMMON}
pictures = []
SHIFT, RANGE = {"toEightBits": "shift"}, {"toEightBits": {"min": 1000, "max": 40000}}

def add(tool, title, content, truth, options={}):
    file = "%s-%d" % (tool, len(pictures))
    with open(os.path.join(folder, file), "wb") as out:
        out.write(content)
    pictures.append({"tool": tool, "title": title, "file": file, "options": options, "truth": truth})

def add_sixteen(tool, title, content, name, channels):
    add(tool, title + ", shifted", content, {"base": name, "channels": channels}, SHIFT)
    add(tool, title + ", stretched", content, {"base": name, "channels": channels}, RANGE)
    add(tool, title + ", without a rule", content, {"fault": "16 bits a channel.*toEightBits"})

def pillow(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()

def opencv(values, kind, *options):
    return cv2.imencode(kind, values, list(options))[1].tobytes()

def bgr(values):
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[1 if values.ndim == 2 else values.shape[2]]
    return values if values.ndim == 2 else np.ascontiguousarray(values[:, :, order])

for name, values in bases.items():
    channels = 1 if values.ndim == 2 else values.shape[2]
    kept = 1 if channels < 3 else 3
    same = {"base": name, "channels": kept}
    smooth = name.startswith("smooth")
    if values.dtype == np.uint16:
        if smooth or channels == 2:
            continue
        add_sixteen("opencv", "PNG of " + name, opencv(bgr(values), ".png", cv2.IMWRITE_PNG_COMPRESSION, 3), name, kept)
        add_sixteen("opencv", "TIFF of " + name, opencv(bgr(values), ".tiff"), name, kept)
        if channels == 1:
            image = Image.fromarray(values)
            add_sixteen("pillow", "PNG of " + name, pillow(image, "PNG"), name, kept)
            add_sixteen("pillow", "TIFF of " + name, pillow(image, "TIFF", compression="tiff_adobe_deflate"), name, kept)
            height, width = values.shape
            turned = Image.frombytes("I;16B", (width, height), values.astype(">u2").tobytes())
            add_sixteen("pillow", "big-endian TIFF of " + name, pillow(turned, "TIFF"), name, kept)
            add("opencv", "16-bit PGM of " + name, opencv(values, ".pgm"), {"fault": "a PGM or PPM, whose maximum"})
        continue
    image = Image.fromarray(values, "LA") if channels == 2 else Image.fromarray(values)
    if smooth:
        if channels not in (1, 3):
            continue
        for quality, subsampling, more in ((40, 2, {}), (95, 0, {"progressive": True}), (80, 1, {"optimize": True}), (75, 2, {"restart_marker_blocks": 3})):
            add("pillow", "JPEG of %s, %d, %d, %s" % (name, quality, subsampling, more), pillow(image, "JPEG", quality=quality, subsampling=subsampling, **more), {"decodedBy": "opencv"})
        for options in ((cv2.IMWRITE_JPEG_QUALITY, 35), (cv2.IMWRITE_JPEG_QUALITY, 97, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
                        (cv2.IMWRITE_JPEG_RST_INTERVAL, 2), (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)):
            add("opencv", "JPEG of %s, %s" % (name, options), opencv(bgr(values), ".jpg", *options), {"decodedBy": "pillow"})
        add("pillow", "WebP of " + name, pillow(image.convert("RGB"), "WEBP", quality=70), {"decodedBy": "opencv"})
        add("opencv", "WebP of " + name, opencv(bgr(values), ".webp", cv2.IMWRITE_WEBP_QUALITY, 60), {"decodedBy": "pillow"})
        if channels == 3:
            add("pillow", "PNG of %s with a palette" % name, pillow(image.quantize(40), "PNG"), {"decodedBy": "pillow"})
            add("pillow", "BMP of %s with a palette" % name, pillow(image.quantize(40), "BMP"), {"decodedBy": "pillow"})
            add("pillow", "TIFF of %s with a palette" % name, pillow(image.quantize(40), "TIFF"), {"decodedBy": "pillow"})
            add("pillow", "CMYK JPEG of " + name, pillow(image.convert("CMYK"), "JPEG"), {"fault": "CMYK"})
            add("pillow", "CMYK TIFF of " + name, pillow(image.convert("CMYK"), "TIFF"), {"fault": "CMYK"})
            add("pillow", "TIFF in JPEG of " + name, pillow(image, "TIFF", compression="jpeg"), {"decodedBy": "pillow"})
        continue
    for level in (0, 6, 9):
        add("pillow", "PNG of %s, %d" % (name, level), pillow(image, "PNG", compress_level=level), same)
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        if channels != 2:
            add("pillow", "TIFF of %s, %s" % (name, compression), pillow(image, "TIFF", compression=compression), same)
    if channels != 2:
        add("pillow", "BMP of " + name, pillow(image, "BMP"), same)
        for level in (0, 9):
            add("opencv", "PNG of %s, %d" % (name, level), opencv(bgr(values), ".png", cv2.IMWRITE_PNG_COMPRESSION, level), same)
        for compression in (1, 5, 8, 32773):
            add("opencv", "TIFF of %s, %d" % (name, compression), opencv(bgr(values), ".tiff", cv2.IMWRITE_TIFF_COMPRESSION, compression), same)
        add("opencv", "BMP of " + name, opencv(bgr(values), ".bmp"), same)
    if channels in (3, 4):
        add("pillow", "WebP of %s without loss" % name, pillow(image, "WEBP", lossless=True, exact=True), same)
    if channels == 1:
        bits = {"base": name, "channels": 1, "bits": 1}
        bilevel = Image.fromarray(values > 127)
        add("pillow", "PNG of 1 bit of " + name, pillow(bilevel, "PNG"), bits)
        add("pillow", "BMP of 1 bit of " + name, pillow(bilevel, "BMP"), bits)
        for compression in (None, "group3", "group4"):
            add("pillow", "TIFF of 1 bit of %s, %s" % (name, compression), pillow(bilevel, "TIFF", compression=compression), bits)
        add("pillow", "PGM of " + name, pillow(image, "PPM"), {"fault": "a PGM or PPM, whose maximum"})
        add("pillow", "TIFF of numbers with a fraction of " + name, pillow(image.convert("F"), "TIFF"), {"fault": "sign or a fraction"})
        add("opencv", "TIFF of numbers with a fraction of " + name, opencv(values.astype(np.float32), ".tiff"), {"fault": "sign or a fraction"})
        add("pillow", "TIFF of 32 bits of " + name, pillow(image.convert("I"), "TIFF"), {"fault": "32 bits|sign or a fraction"})
    if channels == 3:
        add("pillow", "GIF of " + name, pillow(image, "GIF"), {"fault": "a GIF, and neither"})
        if min(values.shape[:2]) >= 32:  # its encoder takes no smaller one
            add("opencv", "JPEG 2000 of " + name, opencv(bgr(values), ".jp2"), {"fault": "a JPEG 2000, and neither"})
print(json.dumps(pictures))
`;

const TRUTH = `${COMMON}
def turned(values, orientation):
    return {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: np.swapaxes(a, 0, 1),
            6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2), 8: np.rot90}[orientation](values)

def eight(values, rule):
    if values.dtype == np.uint8:
        return values
    if rule == "shift":
        return (values >> 8).astype(np.uint8)
    low, high = rule["min"], rule["max"]
    return np.floor((np.clip(values.astype(float), low, high) - low) * 255 / (high - low) + 0.5).astype(np.uint8)

def decoded(path, by):
    if by == "opencv":
        values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        return values if values.ndim == 2 else values[:, :, [2, 1, 0]]
    image = Image.open(path)
    return np.array(image if image.mode == "L" else image.convert("L" if image.mode == "1" else "RGB"))

shapes = []
for picture in given["pictures"]:
    truth = picture["truth"]
    if "fault" in truth:
        shapes.append(None)
        continue
    path = os.path.join(folder, picture["file"])
    if "decodedBy" in truth:
        values = decoded(path, truth["decodedBy"])
    else:
        values = bases[truth["base"]]
        if values.ndim == 3 and truth["channels"] == 1:
            values = values[:, :, 0]
        elif values.ndim == 3:
            values = values[:, :, :3]
        elif truth["channels"] == 3:
            values = np.dstack([values] * 3)
        values = eight(values, picture["options"].get("toEightBits"))
        if truth.get("bits") == 1:
            values = np.where(values > 127, 255, 0).astype(np.uint8)
    values = np.ascontiguousarray(turned(values, truth.get("orientation", 1)))
    values.tofile(path + ".raw")
    shapes.append(list(values.shape))
print(json.dumps(shapes))
`;

async function inputOf(folder: string, bases: ReadonlyMap<string, Base>) {
  const kept = [...bases.values()].map(({ data, ...base }, index) => ({
    ...base,
    file: `base-${index}`,
    data,
  }));
  for (const { file, data } of kept) await writeFile(path.join(folder, file), data);
  return { folder, bases: kept.map(({ data: _, ...base }) => base) };
}

/** Pictures that Pillow and OpenCV write. */
export async function pythonFiles(folder: string, bases: ReadonlyMap<string, Base>): Promise<Picture[]> {
  return (await runWithLibraries(WRITE, await inputOf(folder, bases))) as Picture[];
}

/** The pixels that NumPy, OpenCV or Pillow has for each picture; undefined for those that are to be refused. */
export async function truthsOf(
  folder: string,
  bases: ReadonlyMap<string, Base>,
  pictures: readonly Picture[],
): Promise<({ shape: number[]; pixels: Buffer } | undefined)[]> {
  const shapes = (await runWithLibraries(TRUTH, { ...(await inputOf(folder, bases)), pictures })) as (
    number[] | null
  )[];
  return Promise.all(
    pictures.map(async ({ file }, index) => {
      const shape = shapes[index];
      return shape ? { shape, pixels: await readFile(path.join(folder, `${file}.raw`)) } : undefined;
    }),
  );
}
