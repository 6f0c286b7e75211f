#!/usr/bin/env bash
# A picture of 12 bits that is stored as 12 bits: which numbers come out depends on the reader and on the format, and neither Pillow nor
# OpenCV keeps to one rule. Pillow stretches PGM to 65535 (also through imageio), shifts JPEG 2000 by 4 bits, and leaves TIFF as it
# is; OpenCV leaves PGM and JPEG 2000 and shifts TIFF. All are 16 bits without an error, and no attribute of the picture tells the
# factor. A limit in grey levels that was found with one reader is 16 times off with the other. tifffile and imagecodecs give the
# numbers of the file; in a PNG or TIFF of 16 bits that holds 0 to 4095 all readers agree.
#
# Seen with Pillow 13.0.0, opencv-python-headless 5.0.0.93 (4.14.0.94 the same), imageio 2.38.1, tifffile 2026.3.3, imagecodecs 2026.3.6,
# NumPy 2.4.6, Python 3.11 (the pixels 1, 1000 and 4095):
#   PGM, maximum 4095: Pillow 16 16004 65535, imageio 16 16004 65535, OpenCV 1 1000 4095
#   JPEG 2000, 12 bits: Pillow 16 16000 65520, OpenCV 1 1000 4095, imagecodecs 1 1000 4095
#   TIFF, 12 bits packed: Pillow 1 1000 4095, OpenCV 16 16000 65520, tifffile 1 1000 4095
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > look.py <<'PY'
import cv2, imagecodecs, imageio.v3, numpy, tifffile
from PIL import Image
pixels = numpy.tile(numpy.array([1, 1000, 4095, 0], numpy.uint16), (32, 8))
with open('a.pgm', 'wb') as file:
    file.write(b'P5\n32 32\n4095\n' + pixels.astype('>u2').tobytes())
with open('a.jp2', 'wb') as file:
    file.write(imagecodecs.jpeg2k_encode(pixels, bitspersample=12, level=0, reversible=True))
tifffile.imwrite('a.tif', pixels, bitspersample=12)
def row(picture):
    return ' '.join(str(int(value)) for value in numpy.asarray(picture)[0, :3])
def both(name):
    return row(Image.open(name)), row(cv2.imread(name, cv2.IMREAD_UNCHANGED))
pillow, opencv = both('a.pgm')
print(f'PGM, maximum 4095: Pillow {pillow}, imageio {row(imageio.v3.imread("a.pgm"))}, OpenCV {opencv}')
pillow, opencv = both('a.jp2')
with open('a.jp2', 'rb') as file:
    print(f'JPEG 2000, 12 bits: Pillow {pillow}, OpenCV {opencv}, imagecodecs {row(imagecodecs.jpeg2k_decode(file.read()))}')
pillow, opencv = both('a.tif')
print(f'TIFF, 12 bits packed: Pillow {pillow}, OpenCV {opencv}, tifffile {row(tifffile.imread("a.tif"))}')
PY
expected='PGM, maximum 4095: Pillow 16 16004 65535, imageio 16 16004 65535, OpenCV 1 1000 4095
JPEG 2000, 12 bits: Pillow 16 16000 65520, OpenCV 1 1000 4095, imagecodecs 1 1000 4095
TIFF, 12 bits packed: Pillow 1 1000 4095, OpenCV 16 16000 65520, tifffile 1 1000 4095'
python3 -m venv env
for version in 4.14.0.94 5.0.0.93; do
  env/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 "opencv-python-headless==$version" imageio==2.38.1 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
  env/bin/python look.py | tee seen
  [ "$(cat seen)" = "$expected" ] || { echo "changed with OpenCV $version" >&2; exit 1; }
done
