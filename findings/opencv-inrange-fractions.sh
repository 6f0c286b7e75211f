#!/usr/bin/env bash
# cv2.inRange takes limits with a fraction (a mean plus or minus three deviations) and rounds them to whole numbers for pictures of whole
# numbers, so that values outside the limits are inside: 100 is in 100.4 to 101.6, and 102 too. Half of all limits are one grey level
# too wide, those whose fraction rounds inwards are right, which hides it from tests. cv2.threshold, cv2.compare and NumPy compare as
# they should. The documentation says "lower <= value <= upper". Give it ceil(lower) and floor(upper), or a float32 picture.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93, NumPy 2.4.6, Python 3.11, each version the same (the values 98 to 103; uint8, uint16,
# int16 and int32 the same):
#   100.4 to 101.6: inRange 100 101 102, NumPy 101, inRange of float32 101
#   99.5 to 101.5: inRange 100 101 102, NumPy 100 101, inRange of float32 100 101
#   100.6 to 101.4: inRange 101, NumPy 101, inRange of float32 101
#   above 100.4: threshold 101 102 103, compare 101 102 103
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
look='import cv2, numpy
values = numpy.arange(98, 104).reshape(1, 6)
def those(mask):
    return " ".join(str(value) for value in values[numpy.asarray(mask) > 0])
for low, high in ((100.4, 101.6), (99.5, 101.5), (100.6, 101.4)):
    (whole,) = {those(cv2.inRange(values.astype(kind), low, high)) for kind in ("uint8", "uint16", "int16", "int32")}
    print("%s to %s: inRange %s, NumPy %s, inRange of float32 %s" % (
        low, high, whole, those((values >= low) & (values <= high)), those(cv2.inRange(values.astype("float32"), low, high))))
grey = values.astype("uint8")
print("above 100.4: threshold %s, compare %s" % (those(cv2.threshold(grey, 100.4, 255, cv2.THRESH_BINARY)[1]), those(cv2.compare(grey, 100.4, cv2.CMP_GT))))'
expected='100.4 to 101.6: inRange 100 101 102, NumPy 101, inRange of float32 101
99.5 to 101.5: inRange 100 101 102, NumPy 100 101, inRange of float32 100 101
100.6 to 101.4: inRange 101, NumPy 101, inRange of float32 101
above 100.4: threshold 101 102 103, compare 101 102 103'
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
  "cv-$version/bin/python" -c "$look" | tee seen
  [ "$(cat seen)" = "$expected" ] || { echo "changed in $version" >&2; exit 1; }
done
