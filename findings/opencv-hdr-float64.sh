#!/usr/bin/env bash
# cv2.imwrite writes a float64 picture as Radiance HDR, or a float16 one as TIFF, by way of 8 bits, with a line in its log at most: fractions become 0 and what is
# above 255 is cut, though the format has floats. NumPy's own results are float64, so a map that was divided by its maximum is stored
# as nothing. float32 is right in both, float64 in TIFF.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93 (x86-64), NumPy 2.4.6, Python 3.11, values 0.25, 0.75 and 1000, read back, each version
# the same:
#   hdr float64: 0 0.00390625 1 (float32)
#   hdr float32: 0.25 0.75 1000 (float32)
#   tiff float16: 0 1 255 (uint8)
#   tiff float64: 0.25 0.75 1000 (float64)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
look='import cv2, numpy
def back(kind, ending):
    picture = numpy.empty((16, 16), kind)
    picture[:4], picture[4:8], picture[8:] = 0.25, 0.75, 1000
    written, data = cv2.imencode("." + ending, picture)
    assert written
    read = cv2.imdecode(data, cv2.IMREAD_UNCHANGED).reshape(16, 16, -1)[:, 0, 0]
    return "%s %s: %s (%s)" % (ending, kind, " ".join("%.9g" % read[row] for row in (0, 5, 12)), read.dtype)
print(back("float64", "hdr"))
print(back("float32", "hdr"))
print(back("float16", "tiff"))
print(back("float64", "tiff"))'
expected='hdr float64: 0 0.00390625 1 (float32)
hdr float32: 0.25 0.75 1000 (float32)
tiff float16: 0 1 255 (uint8)
tiff float64: 0.25 0.75 1000 (float64)'
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
  "cv-$version/bin/python" -c "$look" | tee seen
  [ "$(cat seen)" = "$expected" ] || { echo "changed in $version" >&2; exit 1; }
done
