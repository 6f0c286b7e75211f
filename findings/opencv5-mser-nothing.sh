#!/usr/bin/env bash
# The MSER detector of OpenCV 5.0.0 finds nothing in grey pictures with its default values: no region for a dark disc on bright ground,
# none in a picture full of blobs, and no error. OpenCV 4 finds them with the same values. There min_diversity (0.2) counts for colour pictures
# alone; OpenCV 5 compares it in grey ones too, but with the variation of a region, of which a small one means that the region is stable: it
# drops the stable ones, which are what is looked for. A later release mends it. An inspection that counts such regions (spots, pores,
# characters) says "no defect" after the update; set min_diversity=0, which gives the same in both.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93, NumPy 2.4.6, Python 3.11 (number of regions):
#   4.14.0: disc 9, blobs 824; min_diversity 0: disc 9, blobs 824; disc in colour 1
#   5.0.0: disc 0, blobs 0; min_diversity 0: disc 9, blobs 824; disc in colour 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > look.py <<'PY'
import cv2, numpy
disc = numpy.full((200, 300), 200, numpy.uint8)
cv2.circle(disc, (80, 100), 20, 60, -1)
disc = cv2.GaussianBlur(disc, (5, 5), 1)
noise = numpy.random.default_rng(0).integers(0, 256, (300, 400), dtype=numpy.uint8)
blobs = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
def found(picture, **options):
    return len(cv2.MSER_create(**options).detectRegions(picture)[0])
print('%s: disc %d, blobs %d; min_diversity 0: disc %d, blobs %d; disc in colour %d' % (
    cv2.__version__, found(disc), found(blobs),
    found(disc, min_diversity=0), found(blobs, min_diversity=0), found(cv2.cvtColor(disc, cv2.COLOR_GRAY2BGR))))
PY
for version in 4.14.0.94 5.0.0.93; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" numpy==2.4.6
  "cv-$version/bin/python" look.py
done | tee seen
[ "$(cat seen)" = '4.14.0: disc 9, blobs 824; min_diversity 0: disc 9, blobs 824; disc in colour 1
5.0.0: disc 0, blobs 0; min_diversity 0: disc 9, blobs 824; disc in colour 1' ] || { echo 'This has changed' >&2; exit 1; }
