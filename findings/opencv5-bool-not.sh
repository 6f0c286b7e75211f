#!/usr/bin/env bash
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93) takes NumPy arrays of bool, which OpenCV 4 refused. Its bitwise_not turns each bit
# of the byte over: False (0) becomes 255 and True (1) becomes 254. Any byte but 0 is True for NumPy, so that the inverse of a mask is
# True everywhere, and selects the whole picture. bitwise_and, bitwise_or and bitwise_xor give what NumPy gives. imencode writes
# True as the grey value 1, which is as black as 0 to the eye, and warns on stderr alone.
#
# Seen with Python 3.11 and NumPy 2.4.6:
#   OpenCV 4.14.0: bool is refused
#   OpenCV 5.0.0: 1 of 4 True; bitwise_not: 4 True, bytes [255, 254, 255, 255], NumPy's ~: 3 True; as PNG: [0, 1, 0, 0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
done
look='import sys
import cv2, numpy
mask = numpy.array([[False, True, False, False]])
try:
    other = cv2.bitwise_not(mask)
except cv2.error as error:
    print("OpenCV %s: bool is refused" % cv2.__version__ if "bool is not supported" in str(error) else error)
    sys.exit()
assert (cv2.bitwise_and(mask, mask) == mask).all() and (cv2.bitwise_xor(mask, mask) == False).all()
png = cv2.imdecode(cv2.imencode(".png", mask)[1], cv2.IMREAD_UNCHANGED)
print("OpenCV %s: %d of %d True; bitwise_not: %d True, bytes %s, NumPy\u2019s ~: %d True; as PNG: %s" % (
    cv2.__version__, mask.sum(), mask.size, other.sum(), other.view(numpy.uint8)[0].tolist(), (~mask).sum(), png[0].tolist()))'
for version in 4.14.0.94 5.0.0.93; do PYTHONIOENCODING=utf-8 "cv-$version/bin/python" -c "$look" 2>/dev/null; done | tee seen
expected='OpenCV 4.14.0: bool is refused
OpenCV 5.0.0: 1 of 4 True; bitwise_not: 4 True, bytes [255, 254, 255, 255], NumPy’s ~: 3 True; as PNG: [0, 1, 0, 0]'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
