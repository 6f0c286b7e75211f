#!/usr/bin/env bash
# A uint16 array of one channel that pyvips writes as PNG is cut at 255: a picture of a 12-bit camera is white, with 8 bits in the file. bitdepth=16,
# which asks for 16, cuts in the same way and then stretches: 0 and 65535 are all that is left. The same array is right as TIFF, shifted by 8
# bits as JPEG, and right as PNG again with three channels. new_from_array and new_from_memory call one channel "b-w", which stands for 8 bits in
# libvips, whatever the pixels are; thumbnail_image and sharpen cut it too. Nothing warns. Give interpretation='grey16' (or 'auto').
#
# Seen with pyvips 3.2.0, pyvips-binary 8.18.7, OpenCV 5.0.0.93 (which reads), NumPy 2.4.6, Python 3.11 (the pixels 0, 255, 256, 1000, 4095, 65535):
#   PNG: uint8 0 255 255 255 255 255
#   PNG, bitdepth=16: uint16 0 65535 65535 65535 65535 65535
#   TIFF: uint16 0 255 256 1000 4095 65535
#   PNG, three channels: uint16 0 255 256 1000 4095 65535
#   PNG, grey16: uint16 0 255 256 1000 4095 65535
#   PNG, auto: uint16 0 255 256 1000 4095 65535
#   PNG, thumbnail: uint8 0 255 255 255 255 255
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pyvips==3.2.0 pyvips-binary==8.18.7 opencv-python-headless==5.0.0.93 numpy==2.4.6
env/bin/python - > seen <<'PY'
import cv2, numpy, pyvips
values = numpy.array([[0, 255, 256, 1000, 4095, 65535]] * 4, numpy.uint16)
colour = numpy.repeat(values[:, :, None], 3, axis=2)
def show(name, image, ending, **options):
    picture = cv2.imdecode(numpy.frombuffer(image.write_to_buffer(ending, **options), numpy.uint8), cv2.IMREAD_UNCHANGED)
    row = picture[0] if picture.ndim == 2 else picture[0, :, 0]
    print('%s: %s %s' % (name, picture.dtype, ' '.join(str(value) for value in row)))
plain = pyvips.Image.new_from_array(values)
show('PNG', plain, '.png')
show('PNG, bitdepth=16', plain, '.png', bitdepth=16)
show('TIFF', plain, '.tif')
show('PNG, three channels', pyvips.Image.new_from_array(colour), '.png')
show('PNG, grey16', pyvips.Image.new_from_array(values, interpretation='grey16'), '.png')
show('PNG, auto', pyvips.Image.new_from_array(values, interpretation='auto'), '.png')
show('PNG, thumbnail', plain.thumbnail_image(6), '.png')
PY
cat seen
[ "$(cat seen)" = 'PNG: uint8 0 255 255 255 255 255
PNG, bitdepth=16: uint16 0 65535 65535 65535 65535 65535
TIFF: uint16 0 255 256 1000 4095 65535
PNG, three channels: uint16 0 255 256 1000 4095 65535
PNG, grey16: uint16 0 255 256 1000 4095 65535
PNG, auto: uint16 0 255 256 1000 4095 65535
PNG, thumbnail: uint8 0 255 255 255 255 255' ] || { echo 'This has changed' >&2; exit 1; }
