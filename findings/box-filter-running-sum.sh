#!/usr/bin/env bash
# One pixel that is no measurement spoils places that it does not reach, in the mean filters of OpenCV and of SciPy. cv2.blur and
# scipy.ndimage.uniform_filter keep a running sum: they add the pixel that comes into the window and subtract the one that leaves it. After a
# NaN or an infinity the sum is NaN for the rest of the column (OpenCV), and for the rest of the row and then of the columns
# (SciPy); after a very large number, as depth cameras send for "nothing seen", the small ones are lost from the sum, and what follows is
# too small although all its pixels are good. cv2.GaussianBlur, which multiplies each window anew, has right values from the window's edge on.
# Replace such pixels before the filter, or filter values and mask apart and divide.
#
# Seen with opencv-python-headless 5.0.0.93, SciPy 1.17.1, NumPy 2.4.6, Python 3.11 (40 x 40 pixels of 1.0, windows of 3 x 3, one odd
# pixel in row 1 and column 1, which is in 9 windows at most; a value is wrong where it differs from 1 outside of those):
#   NaN: cv2.blur 111 wrong, uniform_filter 1591 wrong, GaussianBlur 0 wrong
#   inf: cv2.blur 111 wrong, uniform_filter 1591 wrong, GaussianBlur 0 wrong
#   1e+20: cv2.blur 111 wrong, uniform_filter 222 wrong, GaussianBlur 0 wrong
#   1e+20, row 30: cv2.blur 0.333333, uniform_filter 0.666667
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 scipy==1.17.1 numpy==2.4.6
env/bin/python - > seen <<'PY'
import cv2
import numpy
from scipy import ndimage
def wrong(result):
    off = ~numpy.isclose(result, 1)
    off[:3, :3] = False
    return int(off.sum())
for odd in (numpy.nan, numpy.inf, 1e20):
    picture = numpy.ones((40, 40), numpy.float32)
    picture[1, 1] = odd
    name = 'NaN' if numpy.isnan(odd) else odd
    blurred, uniform, gauss = cv2.blur(picture, (3, 3)), ndimage.uniform_filter(picture, 3), cv2.GaussianBlur(picture, (3, 3), 0)
    print('%s: cv2.blur %d wrong, uniform_filter %d wrong, GaussianBlur %d wrong' % (name, wrong(blurred), wrong(uniform), wrong(gauss)))
print('1e+20, row 30: cv2.blur %.6f, uniform_filter %.6f' % (blurred[30, 1], uniform[30, 1]))
PY
cat seen
[ "$(cat seen)" = 'NaN: cv2.blur 111 wrong, uniform_filter 1591 wrong, GaussianBlur 0 wrong
inf: cv2.blur 111 wrong, uniform_filter 1591 wrong, GaussianBlur 0 wrong
1e+20: cv2.blur 111 wrong, uniform_filter 222 wrong, GaussianBlur 0 wrong
1e+20, row 30: cv2.blur 0.333333, uniform_filter 0.666667' ] || { echo 'This has changed' >&2; exit 1; }
