#!/usr/bin/env bash
# cv2 takes arrays of int64 and uint64, NumPy's own type for sums and indices, and makes int32 of them without a word: what is
# larger loses its upper half. So in OpenCV 4, which has no type of 64 bits, and still in 5.0.0, which has.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93, NumPy 2.4.6, Python 3.11:
#   4.14.0: int64: 3000000000 + 1 = -1294967295 (int32); uint64: 3000000000 + 1 = -1294967295 (int32)
#   5.0.0: int64: 3000000000 + 1 = -1294967295 (int32); uint64: 3000000000 + 1 = -1294967295 (int32)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
done
look='import cv2, numpy
def sum(kind):
    got = cv2.add(numpy.full((1, 1), 3_000_000_000, kind), numpy.ones((1, 1), kind))
    return "%s: 3000000000 + 1 = %d (%s)" % (kind, got[0, 0], got.dtype)
print("%s: %s; %s" % (cv2.__version__, sum("int64"), sum("uint64")))'
for version in 4.14.0.94 5.0.0.93; do "cv-$version/bin/python" -c "$look"; done | tee seen
expected='4.14.0: int64: 3000000000 + 1 = -1294967295 (int32); uint64: 3000000000 + 1 = -1294967295 (int32)
5.0.0: int64: 3000000000 + 1 = -1294967295 (int32); uint64: 3000000000 + 1 = -1294967295 (int32)'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
