#!/usr/bin/env bash
# An array of one dimension (a line scan, a profile, a histogram) is a column to OpenCV 4 and a row to OpenCV 5. Nothing is refused:
# filters and flips along x become those along y, minMaxLoc swaps x and y, and mulTransposed gives the outer product where it gave
# the inner one. calcHist answers (16,) instead of (16, 1), and compareHist refuses the two together.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93, NumPy 2.4.6, Python 3.11:
#   4.14.0: flip around x [3, 2, 1], blur 1 x 3 [2.25, 4.5, 2.25], maximum at (0, 1), mulTransposed 3 x 3, histogram (16, 1)
#   5.0.0: flip around x [1, 2, 3], blur 1 x 3 [0.0, 4.5, 0.0], maximum at (1, 0), mulTransposed 1 x 1, histogram (16,)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
done
look='import cv2, numpy
line = numpy.array([1, 2, 3], numpy.uint8)
step = numpy.array([0, 9, 0], numpy.float32)
print("%s: flip around x %s, blur 1 x 3 %s, maximum at %s, mulTransposed %s, histogram %s" % (
    cv2.__version__,
    cv2.flip(line, 0).ravel().tolist(),
    cv2.GaussianBlur(step, (1, 3), 0, borderType=cv2.BORDER_CONSTANT).ravel().tolist(),
    cv2.minMaxLoc(step)[3],
    "%d x %d" % cv2.mulTransposed(step, False).shape,
    cv2.calcHist([numpy.zeros((4, 4), numpy.uint8)], [0], None, [16], [0, 256]).shape))'
for version in 4.14.0.94 5.0.0.93; do "cv-$version/bin/python" -c "$look"; done | tee seen
expected='4.14.0: flip around x [3, 2, 1], blur 1 x 3 [2.25, 4.5, 2.25], maximum at (0, 1), mulTransposed 3 x 3, histogram (16, 1)
5.0.0: flip around x [1, 2, 3], blur 1 x 3 [0.0, 4.5, 0.0], maximum at (1, 0), mulTransposed 1 x 1, histogram (16,)'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
