#!/usr/bin/env bash
# One bright pixel changes the grey value of all others in rawpy, although everything that adapts seems to be off: no_auto_bright, linear gamma,
# no white balance, no colour space. LibRaw takes the brightest pixel of the picture for white in place of the camera's white level where
# it is above 75 % of that level: with a glint at 3500 of 4095 a plate of 1000 comes out 17 % brighter than without it, and with a glint that
# is saturated it does not. A limit in grey levels fails by what shines elsewhere. adjust_maximum_thr=0 turns it off, and so does
# user_sat with the white level.
#
# Seen with rawpy 0.28.0, tifffile 2026.3.3, NumPy 2.4.6, Python 3.11 (a DNG of 12 bits, Bayer, all pixels 1000, one pixel brighter; the value
# far from that pixel):
#   brightest pixel 1000: linear 16003, user_sat=4095 16003, adjust_maximum_thr=0 16003
#   brightest pixel 3000: linear 16003, user_sat=4095 16003, adjust_maximum_thr=0 16003
#   brightest pixel 3500: linear 18724, user_sat=4095 16003, adjust_maximum_thr=0 16003
#   brightest pixel 4095: linear 16003, user_sat=4095 16003, adjust_maximum_thr=0 16003
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check rawpy==0.28.0 tifffile==2026.3.3 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy, rawpy, tifffile
TAGS = [
    (50706, 'B', 4, b'\x01\x04\x00\x00', True),  # DNGVersion
    (50708, 's', 5, 'Cam1', True),  # UniqueCameraModel
    (33421, 'H', 2, (2, 2), True),  # CFARepeatPatternDim
    (33422, 'B', 4, b'\x00\x01\x01\x02', True),  # CFAPattern: RGGB
    (50714, 'H', 1, 0, True),  # BlackLevel
    (50717, 'H', 1, 4095, True),  # WhiteLevel
    (50721, '2i', 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),  # ColorMatrix1: the identity
    (50728, '2I', 3, (1, 1, 1, 1, 1, 1), True),  # AsShotNeutral
    (50778, 'H', 1, 21, True),  # CalibrationIlluminant1: D65
]
for brightest in (1000, 3000, 3500, 4095):
    mosaic = numpy.full((64, 96), 1000, numpy.uint16)
    mosaic[5, 5] = brightest
    tifffile.imwrite('a.dng', mosaic, photometric='cfa', extratags=TAGS, metadata=None)
    line = []
    for more in ({}, {'user_sat': 4095}, {'adjust_maximum_thr': 0}):
        with rawpy.imread('a.dng') as raw:
            picture = raw.postprocess(
                output_bps=16, gamma=(1, 1), no_auto_bright=True, user_wb=[1, 1, 1, 1], output_color=rawpy.ColorSpace.raw, **more)
        line.append('%s %d' % (' '.join('%s=%d' % item for item in more.items()) or 'linear', picture[40, 60, 1]))
    print('brightest pixel %d: %s' % (brightest, ', '.join(line)))
PY
cat seen
[ "$(cat seen)" = 'brightest pixel 1000: linear 16003, user_sat=4095 16003, adjust_maximum_thr=0 16003
brightest pixel 3000: linear 16003, user_sat=4095 16003, adjust_maximum_thr=0 16003
brightest pixel 3500: linear 18724, user_sat=4095 16003, adjust_maximum_thr=0 16003
brightest pixel 4095: linear 16003, user_sat=4095 16003, adjust_maximum_thr=0 16003' ] || { echo 'This has changed' >&2; exit 1; }
