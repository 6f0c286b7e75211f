#!/usr/bin/env bash
# matchTemplate with TM_CCOEFF_NORMED where nothing has contrast (a lens cap, a lamp that is off): a picture of one grey value scores
# 0, but with a mask, even one that leaves nothing out, it scores infinity, which passes every threshold. A template of one grey
# value scores 1 at each position of any picture.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93, NumPy 2.4.6, Python 3.11 (highest score):
#   4.14.0: blank picture 0.0, with a mask inf; blank template 1.0
#   5.0.0: blank picture 0.0, with a mask inf; blank template 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
done
look='import cv2, numpy
template = numpy.random.default_rng(0).integers(0, 256, (8, 8), dtype=numpy.uint8)
blank = numpy.full((20, 20), 128, numpy.uint8)
def best(picture, template, **more):
    scores = cv2.matchTemplate(picture, template, cv2.TM_CCOEFF_NORMED, **more)
    return cv2.minMaxLoc(scores)[1]
print("%s: blank picture %s, with a mask %s; blank template %s" % (
    cv2.__version__,
    best(blank, template),
    best(blank, template, mask=numpy.ones((8, 8), numpy.uint8)),
    best(blank, numpy.full((8, 8), 60, numpy.uint8))))'
for version in 4.14.0.94 5.0.0.93; do "cv-$version/bin/python" -c "$look"; done | tee seen
expected='4.14.0: blank picture 0.0, with a mask inf; blank template 1.0
5.0.0: blank picture 0.0, with a mask inf; blank template 1.0'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
