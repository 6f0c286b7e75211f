#!/usr/bin/env bash
# Pillow refuses to write a picture of 16 bits (mode I;16) as JPEG or BMP. As WebP, AVIF or GIF it writes one, in which each value above
# 255 is 255: the thumbnail of a picture of 12 or 16 bits is white, without an error. In Pillow 13 a grey AVIF comes back with one
# channel, in 12 with three.
#
# Seen with Pillow 12.0.0 and 13.0.0, NumPy 2.4.6, Python 3.11 (pixels 1000 and 20000):
#   12.0.0: JPEG refused, BMP refused, WEBP [255] RGB, AVIF [255] RGB, GIF [255] P
#   13.0.0: JPEG refused, BMP refused, WEBP [255] RGB, AVIF [255] L, GIF [255] P
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 12.0.0 13.0.0; do
  python3 -m venv "env-$version"
  "env-$version/bin/pip" install --quiet --disable-pip-version-check "pillow==$version" numpy==2.4.6
done
cat > look.py <<'PY'
import io
import numpy, PIL
from PIL import Image
pixels = numpy.full((16, 16), 20000, numpy.uint16)
pixels[:8] = 1000
def tell(kind, **options):
    file = io.BytesIO()
    try:
        Image.fromarray(pixels).save(file, kind, **options)
    except OSError:
        return kind + " refused"
    back = Image.open(file)
    return "%s %s %s" % (kind, sorted(set(back.convert("L").getdata())), back.mode)
print(PIL.__version__ + ":", ", ".join([tell("JPEG"), tell("BMP"), tell("WEBP", lossless=True), tell("AVIF"), tell("GIF")]))
PY
for version in 12.0.0 13.0.0; do "env-$version/bin/python" -W ignore look.py; done | tee seen
expected='12.0.0: JPEG refused, BMP refused, WEBP [255] RGB, AVIF [255] RGB, GIF [255] P
13.0.0: JPEG refused, BMP refused, WEBP [255] RGB, AVIF [255] L, GIF [255] P'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
