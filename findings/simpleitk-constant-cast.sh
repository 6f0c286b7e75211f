#!/usr/bin/env bash
# A number beside an image is cast to the type of the image's pixels in SimpleITK before anything is computed. With pixels of 8 bits
# `image * 0.5` is `image * 0`, a black picture; `image < 300` compares with 44 (300 - 256) and `image > -1` with 255, so that the mask
# of what is always true is empty. Above or below what the type holds the number starts again from the other end; a fraction is
# cut off. There is no error and no warning. Only `/` computes in float64. NumPy 2 and OpenCV compute or compare each of them rightly, or
# raise. Cast the image first: sitk.Cast(image, sitk.sitkFloat32).
#
# Seen with SimpleITK 2.5.7, NumPy 2.4.6, Python 3.11 (pixels 200, 100, 50 of uint8):
#   image * 0.5      [0, 0, 0]
#   image / 2        [100.0, 50.0, 25.0]
#   image + 0.6      [200, 100, 50]
#   image + 300      [244, 144, 94]
#   image < 300      [0, 0, 0]
#   image > -1       [0, 0, 0]
#   float * 0.5      [100.0, 50.0, 25.0]
#   float < 300      [1, 1, 1]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check simpleitk==2.5.7 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy
import SimpleITK as sitk
image = sitk.GetImageFromArray(numpy.array([[200, 100, 50]], numpy.uint8))
floats = sitk.Cast(image, sitk.sitkFloat32)
for name, result in (('image * 0.5', image * 0.5), ('image / 2', image / 2), ('image + 0.6', image + 0.6), ('image + 300', image + 300),
                     ('image < 300', image < 300), ('image > -1', image > -1), ('float * 0.5', floats * 0.5), ('float < 300', floats < 300)):
    print('%-16s %s' % (name, sitk.GetArrayFromImage(result)[0].tolist()))
PY
cat seen
[ "$(cat seen)" = 'image * 0.5      [0, 0, 0]
image / 2        [100.0, 50.0, 25.0]
image + 0.6      [200, 100, 50]
image + 300      [244, 144, 94]
image < 300      [0, 0, 0]
image > -1       [0, 0, 0]
float * 0.5      [100.0, 50.0, 25.0]
float < 300      [1, 1, 1]' ] || { echo 'This has changed' >&2; exit 1; }
