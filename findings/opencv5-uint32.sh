#!/usr/bin/env bash
# OpenCV 4 refuses uint32 (counts of photons, sums of many frames); OpenCV 5 takes it, and computes other numbers
# with it, without an error. filter2D refuses a kernel of 3 x 3, and with one of 15 x 15, which goes by the Fourier transform, it
# gives 0 everywhere, whatever the picture holds. add, subtract and absdiff of a number pass through float32 and int32: from 2^24 on
# they lose the last bits, from about 2^31 on the result is 0. With a second array in place of the number they are right. Convert to float64
# before all else.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93 (x86-64), NumPy 2.4.6, Python 3.11 (pictures of one value):
#   4.14.0: refused
#   5.0.0: 100: filter 3 x 3 refused, 15 x 15 0; plus 1: 101, by an array 101; minus 1: 99
#   5.0.0: 16777217: filter 3 x 3 refused, 15 x 15 0; plus 1: 16777216, by an array 16777218; minus 1: 16777215
#   5.0.0: 4000000000: filter 3 x 3 refused, 15 x 15 0; plus 1: 0, by an array 4000000001; minus 1: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
  "cv-$version/bin/python" - >> seen <<'PY'
import cv2, numpy
def one(work):
    try:
        (value,) = numpy.unique(work())
    except cv2.error:
        return 'refused'
    return str(round(float(value)))
def mean_filter(side):
    return numpy.full((side, side), 1 / side**2)
if one(lambda: cv2.add(numpy.zeros((4, 4), numpy.uint32), 1)) == 'refused':
    print(f'{cv2.__version__}: refused')
else:
    for value in (100, 2**24 + 1, 4000000000):
        flat = numpy.full((40, 40), value, numpy.uint32)
        print('%s: %d: filter 3 x 3 %s, 15 x 15 %s; plus 1: %s, by an array %s; minus 1: %s' % (
            cv2.__version__, value, *(one(lambda: cv2.filter2D(flat, cv2.CV_32F, mean_filter(side))) for side in (3, 15)),
            one(lambda: cv2.add(flat, 1)), one(lambda: cv2.add(flat, numpy.ones_like(flat))), one(lambda: cv2.subtract(flat, 1))))
PY
done
cat seen
[ "$(cat seen)" = '4.14.0: refused
5.0.0: 100: filter 3 x 3 refused, 15 x 15 0; plus 1: 101, by an array 101; minus 1: 99
5.0.0: 16777217: filter 3 x 3 refused, 15 x 15 0; plus 1: 16777216, by an array 16777218; minus 1: 16777215
5.0.0: 4000000000: filter 3 x 3 refused, 15 x 15 0; plus 1: 0, by an array 4000000001; minus 1: 0' ] || { echo 'This has changed' >&2; exit 1; }
