#!/usr/bin/env bash
# OpenCV 4 gives lists of points and lines with a dimension of one in the middle: (N, 1, 2). OpenCV 5 leaves it out in some
# functions and keeps it in others, so that neither habit is right everywhere. The common `found[:, 0]`, which gives all points in
# OpenCV 4, gives their x alone in OpenCV 5, without an error.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93, NumPy 2.4.6, Python 3.11:
#   4.14.0: kept by findNonZero HoughLinesP LSD convexityDefects findContours convexHull goodFeaturesToTrack HoughLines HoughCircles; left out by none; findNonZero(…)[:, 0] is (400, 2)
#   5.0.0: kept by findContours convexHull goodFeaturesToTrack HoughLines HoughCircles; left out by findNonZero HoughLinesP LSD convexityDefects; findNonZero(…)[:, 0] is (400,)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
done
look='import cv2, numpy
square = numpy.pad(numpy.full((20, 20), 255, numpy.uint8), 10)
disc = cv2.circle(numpy.zeros((60, 60), numpy.uint8), (30, 30), 12, 255, -1)
edges = cv2.Canny(square, 50, 150)
arrow = numpy.array([[0, 0], [10, 0], [5, 5], [10, 10], [0, 10]], numpy.int32)
found = {
    "findNonZero": cv2.findNonZero(square),
    "HoughLinesP": cv2.HoughLinesP(edges, 1, numpy.pi / 180, 10),
    "LSD": cv2.createLineSegmentDetector().detect(square)[0],
    "convexityDefects": cv2.convexityDefects(arrow, numpy.array([0, 1, 3, 4])),
    "findContours": cv2.findContours(square, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0][0],
    "convexHull": cv2.convexHull(arrow),
    "goodFeaturesToTrack": cv2.goodFeaturesToTrack(square, 5, 0.01, 3),
    "HoughLines": cv2.HoughLines(edges, 1, numpy.pi / 180, 10),
    "HoughCircles": cv2.HoughCircles(disc, cv2.HOUGH_GRADIENT, 1, 10, param1=50, param2=8),
}
def those(dimensions):
    return " ".join(name for name, list in found.items() if list.ndim == dimensions) or "none"
print("%s: kept by %s; left out by %s; findNonZero(…)[:, 0] is %s" % (cv2.__version__, those(3), those(2), found["findNonZero"][:, 0].shape))'
for version in 4.14.0.94 5.0.0.93; do PYTHONIOENCODING=utf-8 "cv-$version/bin/python" -c "$look"; done | tee seen
expected='4.14.0: kept by findNonZero HoughLinesP LSD convexityDefects findContours convexHull goodFeaturesToTrack HoughLines HoughCircles; left out by none; findNonZero(…)[:, 0] is (400, 2)
5.0.0: kept by findContours convexHull goodFeaturesToTrack HoughLines HoughCircles; left out by findNonZero HoughLinesP LSD convexityDefects; findNonZero(…)[:, 0] is (400,)'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
