#!/usr/bin/env bash
# cv2.mean and sumElems add int32 of one channel four at a time, in 32 bits: from four elements on, the result wraps around where
# four of them pass 2^31. Three elements, three channels, a mask and meanStdDev are right. Sums of a region, 32-bit sensor counts and
# integral pictures reach such values.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93 (x86-64), NumPy 2.4.6, Python 3.11, all elements 600000000:
#   4.14.0: mean of 3: 600000000, of 4: -473741824, of 4 with a mask: 600000000, sumElems of 4 / 4: -473741824, meanStdDev of 4: 600000000
#   5.0.0: mean of 3: 600000000, of 4: -473741824, of 4 with a mask: 600000000, sumElems of 4 / 4: -473741824, meanStdDev of 4: 600000000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
done
look='import cv2, numpy
def full(count):
    return numpy.full((1, count), 600_000_000, numpy.int32)
print("%s: mean of 3: %d, of 4: %d, of 4 with a mask: %d, sumElems of 4 / 4: %d, meanStdDev of 4: %d" % (
    cv2.__version__,
    cv2.mean(full(3))[0],
    cv2.mean(full(4))[0],
    cv2.mean(full(4), numpy.ones((1, 4), numpy.uint8))[0],
    cv2.sumElems(full(4))[0] / 4,
    cv2.meanStdDev(full(4))[0][0, 0]))'
for version in 4.14.0.94 5.0.0.93; do "cv-$version/bin/python" -c "$look"; done | tee seen
expected='4.14.0: mean of 3: 600000000, of 4: -473741824, of 4 with a mask: 600000000, sumElems of 4 / 4: -473741824, meanStdDev of 4: 600000000
5.0.0: mean of 3: 600000000, of 4: -473741824, of 4 with a mask: 600000000, sumElems of 4 / 4: -473741824, meanStdDev of 4: 600000000'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
