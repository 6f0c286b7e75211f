#!/usr/bin/env bash
# warpAffine by half a pixel with INTER_NEAREST: OpenCV 4 moves every column alike, OpenCV 5 rounds each half to the even column, so
# that every second column of the picture is lost and its neighbour is there twice (a defect of one column can vanish). Further:
# OpenCV 4 takes positions in steps of 1/32 pixel in warpAffine and remap, OpenCV 5 takes them as they are, so that results of both
# versions differ where nothing in the algorithm has changed.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93, NumPy 2.4.6, Python 3.11 (a ramp whose value is its column):
#   4.14.0: 0.5 to the right, nearest: [100, 101, 102, 103]; 0.1 to the right, linear: 99.90625, by remap 99.90625
#   5.0.0: 0.5 to the right, nearest: [100, 100, 102, 102]; 0.1 to the right, linear: 99.9, by remap 99.9
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
done
look='import cv2, numpy
ramp = numpy.arange(240, dtype=numpy.float32)[None].repeat(5, 0)
def moved(by, how):
    return cv2.warpAffine(ramp, numpy.array([[1, 0, by], [0, 1, 0]], numpy.float64), (240, 5), flags=how)[2]
x = ramp - numpy.float32(0.1)
y = numpy.arange(5, dtype=numpy.float32)[:, None].repeat(240, 1)
print("%s: 0.5 to the right, nearest: %s; 0.1 to the right, linear: %s, by remap %s" % (
    cv2.__version__,
    [int(value) for value in moved(0.5, cv2.INTER_NEAREST)[100:104]],
    round(float(moved(0.1, cv2.INTER_LINEAR)[100]), 5),
    round(float(cv2.remap(ramp, x, y, cv2.INTER_LINEAR)[2][100]), 5)))'
for version in 4.14.0.94 5.0.0.93; do "cv-$version/bin/python" -c "$look"; done | tee seen
expected='4.14.0: 0.5 to the right, nearest: [100, 101, 102, 103]; 0.1 to the right, linear: 99.90625, by remap 99.90625
5.0.0: 0.5 to the right, nearest: [100, 100, 102, 102]; 0.1 to the right, linear: 99.9, by remap 99.9'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
