#!/usr/bin/env bash
# One NaN in a float32 picture (a dead pixel of a depth or difference picture) makes cv2.minMaxLoc give places outside of it, miss the
# smallest value, or lose every value, by where it stands; mostly it changes nothing, so tests do not show it. A place with x = -1 then
# makes a box at the left edge. Eight values are compared at a time: a NaN takes the place of one of the eight for good, and what is
# left of it says where the others were found. cv2.minMaxLoc of float64 overlooks the NaN.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93 (x86-64), NumPy 2.4.6, Python 3.11, in 64 x 64 values 1 to 4096 (smallest at (0, 0),
# largest at (63, 63)), each version the same:
#   no NaN: (1.0, 4096.0, (0, 0), (63, 63))
#   NaN at 7: (1.0, 4096.0, (0, 0), (63, 63))
#   NaN at 8: (2.0, 4096.0, (1, 0), (63, 63))
#   NaN at 70: (1.0, 4096.0, (-1, 1), (63, 63))
#   NaN at 4095: (nan, nan, (-1, 63), (-1, 63))
#   float64, NaN at 70: (1.0, 4096.0, (0, 0), (63, 63))
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
look='import cv2, numpy
def at(place, kind):
    values = numpy.arange(1, 4097, dtype=kind).reshape(64, 64)
    if place is not None:
        values.flat[place] = numpy.nan
    return cv2.minMaxLoc(values)
print("no NaN:", at(None, "float32"))
for place in (7, 8, 70, 4095):
    print("NaN at %d: %s" % (place, at(place, "float32")))
print("float64, NaN at 70:", at(70, "float64"))'
expected='no NaN: (1.0, 4096.0, (0, 0), (63, 63))
NaN at 7: (1.0, 4096.0, (0, 0), (63, 63))
NaN at 8: (2.0, 4096.0, (1, 0), (63, 63))
NaN at 70: (1.0, 4096.0, (-1, 1), (63, 63))
NaN at 4095: (nan, nan, (-1, 63), (-1, 63))
float64, NaN at 70: (1.0, 4096.0, (0, 0), (63, 63))'
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
  "cv-$version/bin/python" -c "$look" | tee seen
  [ "$(cat seen)" = "$expected" ] || { echo "changed in $version" >&2; exit 1; }
done
