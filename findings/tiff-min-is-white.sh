#!/usr/bin/env bash
# A grey TIFF may count from white to black (PhotometricInterpretation 0, as scanners and X-ray detectors write). Of a picture whose
# pixels are 10 in the file, with 8 and with 16 bits, readers that are all used for inspection give the picture, its negative, or one
# of both by the number of bits: Pillow and OpenCV turn 8 bits over and leave 16 bits, OpenCV's IMREAD_GRAYSCALE turns 16 bits over too
# (to 8: 255), tifffile and geotiff turn none over, sharp both.
#
# Seen with Pillow 13.0.0, opencv-python-headless 5.0.0.93 (4.14.0.94 the same), tifffile 2026.3.3, sharp 0.35.5, geotiff 3.0.5, NumPy 2.4.6:
#   8 bits: tifffile 10, Pillow 245, OpenCV 245, OpenCV grey 245, sharp 245, geotiff 10
#   16 bits: tifffile 10, Pillow 10, OpenCV 10, OpenCV grey 255, sharp 65525, geotiff 10
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93 tifffile==2026.3.3 numpy==2.4.6
npm init -y >/dev/null && npm install --silent --no-audit --no-fund sharp@0.35.5 geotiff@3.0.5
cat > look.py <<'PY'
import sys
import cv2, numpy, tifffile
from PIL import Image
file = "%s.tif" % sys.argv[1]
tifffile.imwrite(file, numpy.full((4, 4), 10, "uint" + sys.argv[1]), photometric="miniswhite")
print("%s bits: tifffile %d, Pillow %d, OpenCV %d, OpenCV grey %d" % (
    sys.argv[1],
    tifffile.imread(file)[0, 0],
    numpy.asarray(Image.open(file))[0, 0],
    cv2.imread(file, cv2.IMREAD_UNCHANGED)[0, 0],
    cv2.imread(file, cv2.IMREAD_GRAYSCALE)[0, 0]), end=", ")
PY
cat > look.mjs <<'JS'
import sharp from 'sharp';
import { fromFile } from 'geotiff';
const [bits] = process.argv.slice(2);
const file = `${bits}.tif`;
const bytes = await sharp(file).toColourspace(bits === '16' ? 'grey16' : 'b-w').raw({ depth: bits === '16' ? 'ushort' : 'uchar' }).toBuffer();
const ours = bits === '16' ? bytes.readUInt16LE(0) : bytes[0];
const rasters = await (await (await fromFile(file)).getImage()).readRasters({ interleave: true });
console.log(`sharp ${ours}, geotiff ${rasters[0]}`);
JS
for bits in 8 16; do env/bin/python look.py $bits; node look.mjs $bits; done | tee seen
expected='8 bits: tifffile 10, Pillow 245, OpenCV 245, OpenCV grey 245, sharp 245, geotiff 10
16 bits: tifffile 10, Pillow 10, OpenCV 10, OpenCV grey 255, sharp 65525, geotiff 10'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
