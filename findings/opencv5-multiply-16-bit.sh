#!/usr/bin/env bash
# cv2.multiply of uint16 stops at 65535, as its documentation says, but only for products below 2^31: beyond it the result is 0, so that
# the brightest pixels of a squared or weighted picture are black. In OpenCV 5 two arrays are enough, and cv2.pow(picture, 2); in
# OpenCV 4 it takes a scale other than 1 or a number. The product is a float32, which becomes an int32 before it is cut to 16 bits.
# With `dtype=cv2.CV_32F`, or a scale that keeps the result within 16 bits, both are right.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93 (x86-64), NumPy 2.4.6, Python 3.11 (picture by picture of one value):
#   4.14.0: 46340: 65535, pow 65535, by a number 65535, scale 0.99 65535; 50000: 65535, pow 65535, by a number 0, scale 0.99 0; 60000 in float32: 3600000000
#   5.0.0: 46340: 65535, pow 65535, by a number 65535, scale 0.99 65535; 50000: 0, pow 0, by a number 0, scale 0.99 0; 60000 in float32: 3600000000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
  "cv-$version/bin/python" - >> seen <<'PY'
import cv2, numpy
def one(picture):
    (value,) = numpy.unique(picture)
    return int(value)
def of(value):
    flat = numpy.full((480, 640), value, numpy.uint16)
    return '%d: %d, pow %d, by a number %d, scale 0.99 %d' % (
        value, one(cv2.multiply(flat, flat)), one(cv2.pow(flat, 2)), one(cv2.multiply(flat, float(value))), one(cv2.multiply(flat, flat, scale=0.99)))
flat = numpy.full((480, 640), 60000, numpy.uint16)
print('%s: %s; %s; 60000 in float32: %d' % (cv2.__version__, of(46340), of(50000), one(cv2.multiply(flat, flat, dtype=cv2.CV_32F))))
PY
done
cat seen
low='46340: 65535, pow 65535, by a number 65535, scale 0.99 65535'
[ "$(cat seen)" = "4.14.0: $low; 50000: 65535, pow 65535, by a number 0, scale 0.99 0; 60000 in float32: 3600000000
5.0.0: $low; 50000: 0, pow 0, by a number 0, scale 0.99 0; 60000 in float32: 3600000000" ] || { echo 'This has changed' >&2; exit 1; }
