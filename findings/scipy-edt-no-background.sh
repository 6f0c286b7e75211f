#!/usr/bin/env bash
# scipy.ndimage.distance_transform_edt gives each foreground pixel the distance to the nearest background pixel. Of a mask without any
# background it gives neither infinity nor an error: it measures to one pixel that is not in the picture, above its first row at its
# left, so that the values are a ramp from 1 to the diagonal. A part that fills the picture gets a thickness, and with
# return_indices=True a nearest pixel at row -1, which NumPy takes for the last row. distance_transform_cdt of the same mask says -1 everywhere,
# cv2.distanceTransform the largest distance that it knows. Ask mask.all() first, or pad the mask with background.
#
# Seen with SciPy 1.17.1, opencv-python-headless 4.13.0.92, NumPy 2.4.6, Python 3.11 (3 x 4 pixels, all foreground):
#   edt, first row: [1.0, 1.41, 2.24, 3.16]
#   edt, last row: [3.0, 3.16, 3.61, 4.24]
#   nearest pixels: rows [-1], columns [0]
#   cdt: [-1]
#   OpenCV: above 4000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check scipy==1.17.1 opencv-python-headless==4.13.0.92 numpy==2.4.6
env/bin/python - > seen <<'PY'
import cv2
import numpy
from scipy import ndimage
mask = numpy.ones((3, 4), numpy.uint8)
distances, nearest = ndimage.distance_transform_edt(mask, return_indices=True)
print('edt, first row:', distances[0].round(2).tolist())
print('edt, last row:', distances[-1].round(2).tolist())
print('nearest pixels: rows %s, columns %s' % tuple(numpy.unique(part).tolist() for part in nearest))
print('cdt:', numpy.unique(ndimage.distance_transform_cdt(mask)).tolist())
print('OpenCV:', 'above 4000' if cv2.distanceTransform(mask, cv2.DIST_L2, 3).min() > 4000 else 'other')
PY
cat seen
[ "$(cat seen)" = 'edt, first row: [1.0, 1.41, 2.24, 3.16]
edt, last row: [3.0, 3.16, 3.61, 4.24]
nearest pixels: rows [-1], columns [0]
cdt: [-1]
OpenCV: above 4000' ] || { echo 'This has changed' >&2; exit 1; }
