#!/usr/bin/env bash
# The binary morphology of SimpleITK takes 1 for the foreground, and any other value for something that it does not look at. A mask of
# 0 and 255, as OpenCV and most programs make it, comes out of BinaryDilate, BinaryErode, BinaryFillhole and BinaryMorphologicalClosing as it
# went in: holes stay holes, nothing grows, and there is no error. Filters that count in the same library (ConnectedComponent,
# LabelShapeStatistics) take each value but 0, so that a look at the mask shows nothing wrong. Give foregroundValue=255, or divide.
#
# Seen with SimpleITK 2.5.7, NumPy 2.4.6, Python 3.11 (a ring of one pixel around a hole of one pixel):
#   BinaryFillhole with 1: hole 1
#   BinaryFillhole with 255: hole 0
#   BinaryFillhole with 255 and foregroundValue=255: hole 255
#   BinaryDilate with 1: 25 pixels, before 8
#   BinaryDilate with 255: 8 pixels, before 8
#   BinaryMorphologicalClosing with 255: hole 0
#   ConnectedComponent with 255: 1 part
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check simpleitk==2.5.7 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy
import SimpleITK as sitk
def ring(value):
    mask = numpy.zeros((7, 7), numpy.uint8)
    mask[2:5, 2:5] = value
    mask[3, 3] = 0
    return sitk.GetImageFromArray(mask)
def count(image):
    return int((sitk.GetArrayFromImage(image) != 0).sum())
print('BinaryFillhole with 1: hole', sitk.BinaryFillhole(ring(1))[3, 3])
print('BinaryFillhole with 255: hole', sitk.BinaryFillhole(ring(255))[3, 3])
print('BinaryFillhole with 255 and foregroundValue=255: hole', sitk.BinaryFillhole(ring(255), foregroundValue=255)[3, 3])
for value in (1, 255):
    print('BinaryDilate with %d: %d pixels, before %d' % (value, count(sitk.BinaryDilate(ring(value), [1, 1])), count(ring(value))))
print('BinaryMorphologicalClosing with 255: hole', sitk.BinaryMorphologicalClosing(ring(255), [1, 1])[3, 3])
print('ConnectedComponent with 255: %d part' % sitk.GetArrayFromImage(sitk.ConnectedComponent(ring(255))).max())
PY
cat seen
[ "$(cat seen)" = 'BinaryFillhole with 1: hole 1
BinaryFillhole with 255: hole 0
BinaryFillhole with 255 and foregroundValue=255: hole 255
BinaryDilate with 1: 25 pixels, before 8
BinaryDilate with 255: 8 pixels, before 8
BinaryMorphologicalClosing with 255: hole 0
ConnectedComponent with 255: 1 part' ] || { echo 'This has changed' >&2; exit 1; }
