#!/usr/bin/env bash
# The mean of each channel of a float32 colour picture of 20 megapixels is wrong by a sixth in NumPy, and the standard deviation of a
# picture of one value is not 0: over the axes before the channels NumPy adds the pixels one after the other in float32, which
# knows no whole number past 16777216. The mean of all values together, and that of 16 megapixels, are right, so a camera of twice the pixels
# shows what the tests did not. numpy.mean(dtype=float64) and cv2.mean are right.
#
# Seen with NumPy 2.4.6 and opencv-python-headless 5.0.0.93 (x86-64), Python 3.11:
#   16 MP of 1.0: channels 1.0, all 1.0
#   20 MP of 1.0: channels 0.8388608, all 1.0, as (height, width, 3) 0.8388608, in float64 1.0, cv2 1.0
#   20 MP of 0.7: channels 0.7144239, std 0.0143108
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 opencv-python-headless==5.0.0.93
env/bin/python - <<'PY' | tee seen
import cv2
import numpy

def picture(megapixels, value):
    return numpy.full((4000, megapixels * 250, 3), value, numpy.float32)

def of(means):
    assert len(set(means.tolist())) == 1
    return "%.7g" % means[0] if means[0] != 1 else "1.0"

one = picture(16, 1)
print("16 MP of 1.0: channels %s, all %s" % (of(one.reshape(-1, 3).mean(axis=0)), one.mean()))
one = picture(20, 1)
rows = one.reshape(-1, 3)
print("20 MP of 1.0: channels %s, all %s, as (height, width, 3) %s, in float64 %s, cv2 %s" % (
    of(rows.mean(axis=0)), one.mean(), of(one.mean(axis=(0, 1))), of(one.mean(axis=(0, 1), dtype=numpy.float64)), cv2.mean(one)[0]))
del one, rows
rows = picture(20, 0.7).reshape(-1, 3)
print("20 MP of 0.7: channels %s, std %.7f" % (of(rows.mean(axis=0)), rows.std(axis=0)[0]))
PY
expected='16 MP of 1.0: channels 1.0, all 1.0
20 MP of 1.0: channels 0.8388608, all 1.0, as (height, width, 3) 0.8388608, in float64 1.0, cv2 1.0
20 MP of 0.7: channels 0.7144239, std 0.0143108'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
