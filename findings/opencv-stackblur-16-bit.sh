#!/usr/bin/env bash
# cv2.stackBlur takes uint16 and int16, and its documentation names both. A picture of one value comes back with another one: from some
# brightness on, which falls as the kernel grows, the values start again at 0, and int16 turns negative. The sum under the kernel is
# divided by a multiplication and a shift in 32 bits, with a table that was made for bytes. No error, no warning; a dark picture is right,
# so that tests with one show nothing. uint8 and float32 are right: convert to float32, or take cv2.GaussianBlur.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93, NumPy 2.4.6, Python 3.11, each version the same (64 x 64 pixels of one value):
#   uint16 20000: 31 x 31 20000, 51 x 51 3626; GaussianBlur 51 x 51 20000
#   uint16 40000: 31 x 31 7232, 51 x 51 7253; GaussianBlur 51 x 51 40000
#   int16 30000: 31 x 31 -2768, 51 x 51 -2752; GaussianBlur 51 x 51 30000
#   float32 40000: 31 x 31 40000, 51 x 51 40000; GaussianBlur 51 x 51 40000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
look='import cv2, numpy
def values(picture):
    return " to ".join(str(round(float(value))) for value in numpy.unique(numpy.rint(picture)))
for kind, value in (("uint16", 20000), ("uint16", 40000), ("int16", 30000), ("float32", 40000)):
    flat = numpy.full((64, 64), value, kind)
    print("%s %d: 31 x 31 %s, 51 x 51 %s; GaussianBlur 51 x 51 %s" % (
        kind, value, values(cv2.stackBlur(flat, (31, 31))), values(cv2.stackBlur(flat, (51, 51))), values(cv2.GaussianBlur(flat, (51, 51), 0))))'
expected='uint16 20000: 31 x 31 20000, 51 x 51 3626; GaussianBlur 51 x 51 20000
uint16 40000: 31 x 31 7232, 51 x 51 7253; GaussianBlur 51 x 51 40000
int16 30000: 31 x 31 -2768, 51 x 51 -2752; GaussianBlur 51 x 51 30000
float32 40000: 31 x 31 40000, 51 x 51 40000; GaussianBlur 51 x 51 40000'
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
  "cv-$version/bin/python" -c "$look" | tee seen
  [ "$(cat seen)" = "$expected" ] || { echo "changed in $version" >&2; exit 1; }
done
