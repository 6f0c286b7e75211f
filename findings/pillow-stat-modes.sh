#!/usr/bin/env bash
# ImageStat and histogram() of Pillow always count 256 kinds of pixel. For a picture of 16 bits (mode I;16) they count the bytes of its
# pixels, for integers and floats (modes I and F) the place between the smallest and the largest pixel, so that mean and extrema
# say nothing of the brightness: no error, no warning. getextrema() and NumPy are right.
#
# Seen with Pillow 13.0.0 (12.0.0 the same), NumPy 2.4.6, Python 3.11, half of the pixels 1000 and half 20000 (F: 0.25 and 0.75):
#   I;16: mean 10500 by NumPy, 86.25 by ImageStat; extrema (1000, 20000) and (3, 232)
#   I: mean 10500 by NumPy, 127.5 by ImageStat; extrema (1000, 20000) and (0, 255)
#   F: mean 0.5 by NumPy, 127.5 by ImageStat; extrema (0.25, 0.75) and (0, 255)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
env/bin/python - <<'PY' | tee seen
import numpy
from PIL import Image, ImageStat
def tell(low, high, kind):
    pixels = numpy.full((16, 16), high, kind)
    pixels[:8] = low
    picture = Image.fromarray(pixels)
    stat = ImageStat.Stat(picture)
    print("%s: mean %g by NumPy, %g by ImageStat; extrema %s and %s" % (
        picture.mode, pixels.mean(), stat.mean[0], picture.getextrema(), stat.extrema[0]))
tell(1000, 20000, "uint16")
tell(1000, 20000, "int32")
tell(0.25, 0.75, "float32")
PY
expected='I;16: mean 10500 by NumPy, 86.25 by ImageStat; extrema (1000, 20000) and (3, 232)
I: mean 10500 by NumPy, 127.5 by ImageStat; extrema (1000, 20000) and (0, 255)
F: mean 0.5 by NumPy, 127.5 by ImageStat; extrema (0.25, 0.75) and (0, 255)'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
