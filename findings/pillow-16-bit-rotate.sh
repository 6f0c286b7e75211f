#!/usr/bin/env bash
# A 16-bit grey picture (I;16, as Pillow opens a PNG or TIFF of a camera) that Pillow rotates or transforms with interpolation comes back as
# 16 bits with values of 8: each byte is interpolated for itself, and every value is below 256. White becomes almost black, without an
# error. rotate() and transform() by the nearest pixel, resize() with each filter, and the modes I and F are right.
#
# Seen with Pillow 11.3.0 and 13.0.0 (x86-64), NumPy 2.4.6, Python 3.11, the middle of a picture of one value, each version the same:
#   65535: rotate nearest 65535, bilinear 255, bicubic 255; shift by half a pixel 255; resize bilinear 65535
#   200: rotate nearest 200, bilinear 0 to 199, bicubic 0 to 199; shift by half a pixel 100; resize bilinear 200
#   40000 in mode I: rotate bilinear 40000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
look='import numpy
from PIL import Image
R = Image.Resampling
def middle(picture):
    values = numpy.asarray(picture)[8:-8, 8:-8]
    return str(values.min()) if values.min() == values.max() else "%d to %d" % (values.min(), values.max())
def of(value, kind=numpy.uint16):
    return Image.fromarray(numpy.full((64, 64), value, kind))
for value in (65535, 200):
    one = of(value)
    half = one.transform(one.size, Image.Transform.AFFINE, (1, 0, 0.5, 0, 1, 0.5), R.BILINEAR)
    print("%d: rotate nearest %s, bilinear %s, bicubic %s; shift by half a pixel %s; resize bilinear %s" % (
        value, middle(one.rotate(10)), middle(one.rotate(10, R.BILINEAR)), middle(one.rotate(10, R.BICUBIC)), middle(half),
        middle(one.resize((32, 32), R.BILINEAR))))
print("40000 in mode I: rotate bilinear", middle(of(40000, numpy.int32).rotate(10, R.BILINEAR)))'
expected='65535: rotate nearest 65535, bilinear 255, bicubic 255; shift by half a pixel 255; resize bilinear 65535
200: rotate nearest 200, bilinear 0 to 199, bicubic 0 to 199; shift by half a pixel 100; resize bilinear 200
40000 in mode I: rotate bilinear 40000'
for version in 11.3.0 13.0.0; do
  python3 -m venv "pillow-$version"
  "pillow-$version/bin/pip" install --quiet --disable-pip-version-check "pillow==$version" numpy==2.4.6
  "pillow-$version/bin/python" -c "$look" | tee seen
  [ "$(cat seen)" = "$expected" ] || { echo "changed in $version" >&2; exit 1; }
done
