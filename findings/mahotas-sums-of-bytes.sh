#!/usr/bin/env bash
# mahotas computes in the type of the picture. labeled_sum, the brightness of each part, of uint8 starts again at 256: a part of two pixels of
# 200 has the sum 144. convolve casts the kernel too: with a mean filter of 1/9 it is a kernel of zeros, and the picture is black.
# The grey dilate and erode take the ones of their default structuring element for heights, and add or subtract 1 on the way: a mask of 200
# comes out with 201, and what close() makes of 0 and 255 is 0 and 254, so that `== 255` finds nothing. There is no error and no warning. SciPy's
# sum_labels and grey_dilation, and mahotas with bool masks and float pictures, are right.
#
# Seen with mahotas 1.4.19, SciPy 1.17.1, NumPy 2.4.6, Python 3.11:
#   sums of 200 + 200 and of 7: mahotas 144 7, of float 400 7, SciPy 400 7
#   mean of 3 x 3 of 90: mahotas 0, of float 90, SciPy mean 90
#   0 and 200: dilate 0 201, erode 0 199, close 0 200, SciPy dilation 0 200, closing 0 200
#   0 and 255: dilate 0 255, erode 0 254, close 0 254, SciPy dilation 0 255, closing 0 255
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mahotas==1.4.19 scipy==1.17.1 numpy==2.4.6
env/bin/python - > seen <<'PY'
import mahotas, numpy, scipy.ndimage
def text(values):
    return ' '.join('%g' % value for value in numpy.unique(values))
picture, parts = numpy.array([[200, 200, 0, 7]], numpy.uint8), numpy.array([[1, 1, 0, 2]])
sums = mahotas.labeled.labeled_sum(picture, parts)
right = scipy.ndimage.sum_labels(picture, parts, [0, 1, 2])
print('sums of 200 + 200 and of 7: mahotas %d %d, of float %d %d, SciPy %d %d' % (
    *sums[1:], *mahotas.labeled.labeled_sum(picture.astype(float), parts)[1:], *right[1:]))
flat = numpy.full((9, 9), 90, numpy.uint8)
print('mean of 3 x 3 of 90: mahotas %s, of float %s, SciPy mean %s' % (
    text(mahotas.convolve(flat, numpy.full((3, 3), 1 / 9))),
    text(mahotas.convolve(flat.astype(float), numpy.full((3, 3), 1 / 9)).round(6)), text(scipy.ndimage.uniform_filter(flat, 3))))
for bright in (200, 255):
    mask = numpy.zeros((9, 9), numpy.uint8)
    mask[2:5, 2:5] = mask[6, 6] = bright
    print('0 and %d: dilate %s, erode %s, close %s, SciPy dilation %s, closing %s' % (
        bright, text(mahotas.dilate(mask)), text(mahotas.erode(mask)), text(mahotas.close(mask)),
        text(scipy.ndimage.grey_dilation(mask, 3)), text(scipy.ndimage.grey_closing(mask, 3))))
PY
cat seen
[ "$(cat seen)" = 'sums of 200 + 200 and of 7: mahotas 144 7, of float 400 7, SciPy 400 7
mean of 3 x 3 of 90: mahotas 0, of float 90, SciPy mean 90
0 and 200: dilate 0 201, erode 0 199, close 0 200, SciPy dilation 0 200, closing 0 200
0 and 255: dilate 0 255, erode 0 254, close 0 254, SciPy dilation 0 255, closing 0 255' ] || { echo 'This has changed' >&2; exit 1; }
