#!/usr/bin/env bash
# OpenCV 5.0.0 and 4.12.0 (opencv-python-headless) write a picture of four channels as a TIFF that does not say what the fourth
# channel is: SamplesPerPixel is 4, PhotometricInterpretation is RGB, and there is no ExtraSamples tag, which TIFF 6.0 asks for.
#
# Readers that stop at the first warning of libtiff refuse such a file (sharp with its default of failOn: 'warning'), while Pillow
# and OpenCV read four channels. Pillow 11.3.0 writes the tag.
#
# Seen with Python 3.11, sharp 0.35.5:
#   opencv 5.0.0: 4 samples, RGB, ExtraSamples: none; sharp, any warning is an error: refused; errors alone: 4 channels
#   opencv 4.12.0: 4 samples, RGB, ExtraSamples: none; sharp, any warning is an error: refused; errors alone: 4 channels
#   pillow 11.3.0: 4 samples, RGB, ExtraSamples: 2; sharp, any warning is an error: 4 channels; errors alone: 4 channels
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund sharp@0.35.5
for version in 5.0.0.93 4.12.0.88; do
  python3 -m venv "cv-$version"
  "cv-$version/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$version" pillow==11.3.0
done
write='import sys, numpy
picture = numpy.full((8, 8, 4), 128, numpy.uint8)
if sys.argv[1] == "pillow":
    from PIL import Image
    Image.fromarray(picture, "RGBA").save(sys.argv[2])
else:
    import cv2
    cv2.imwrite(sys.argv[2], picture)'
look='import sys
from PIL import Image
tags = Image.open(sys.argv[1]).tag_v2
extra = tags.get(338)
print("%d samples, %s, ExtraSamples: %s" % (tags[277], {2: "RGB"}.get(tags[262], tags[262]), extra[0] if extra else "none"))'
cat > read.mjs <<'JS'
import sharp from 'sharp';
const read = (failOn) =>
  sharp(process.argv[2], { failOn })
    .raw()
    .toBuffer({ resolveWithObject: true })
    .then(({ info }) => `${info.channels} channels`, () => 'refused');
console.log(`sharp, any warning is an error: ${await read('warning')}; errors alone: ${await read('error')}`);
JS
"cv-5.0.0.93/bin/python" -c "$write" cv new.tiff
"cv-4.12.0.88/bin/python" -c "$write" cv old.tiff
"cv-4.12.0.88/bin/python" -W ignore -c "$write" pillow pillow.tiff
tell() { echo "$1: $("cv-4.12.0.88/bin/python" -c "$look" "$2"); $(node read.mjs "$2")"; }
{ tell 'opencv 5.0.0' new.tiff; tell 'opencv 4.12.0' old.tiff; tell 'pillow 11.3.0' pillow.tiff; } | tee seen
expected='opencv 5.0.0: 4 samples, RGB, ExtraSamples: none; sharp, any warning is an error: refused; errors alone: 4 channels
opencv 4.12.0: 4 samples, RGB, ExtraSamples: none; sharp, any warning is an error: refused; errors alone: 4 channels
pillow 11.3.0: 4 samples, RGB, ExtraSamples: 2; sharp, any warning is an error: 4 channels; errors alone: 4 channels'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
