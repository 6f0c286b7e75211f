#!/usr/bin/env bash
# jpeg-js 0.4.4 (npm) and Pillow 12.0.0 (PyPI) decode one valid 4:2:0 JPEG to pixels that differ by more than 20 levels.
#
# Both follow the standard. JPEG does not say how the halved colour planes are brought back to full size: Pillow's
# libjpeg-turbo interpolates between neighbours ("fancy upsampling"), jpeg-js repeats each value. Along coloured edges that
# is a difference that an inspection with a threshold can see. With 4:4:4 (no halved planes) they stay within 3 levels.
#
# Seen with Node 20.20.2 and CPython 3.11.7:
#   4:2:0 largest difference 73, mean 1.32
#   4:4:4 largest difference 3, mean 0.65
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund jpeg-js@0.4.4
python3 -m venv env && env/bin/pip install --quiet pillow==12.0.0
cat > make.py <<'PY'
import sys
from PIL import Image, ImageDraw
picture = Image.new("RGB", (320, 240), (20, 120, 40))
draw = ImageDraw.Draw(picture)
for index in range(12):
    draw.ellipse((index * 25, index * 15, index * 25 + 30, index * 15 + 30), fill=(200, 40 + index * 10, 30))
for name, subsampling in (("420", 2), ("444", 0)):
    picture.save(name + ".jpg", quality=90, subsampling=subsampling)
    with open(name + ".rgb", "wb") as file:
        file.write(Image.open(name + ".jpg").convert("RGB").tobytes())
PY
env/bin/python make.py
cat > compare.mjs <<'JS'
import { readFileSync } from 'node:fs';
import jpeg from 'jpeg-js';
const largest = {};
for (const [name, words] of [['420', '4:2:0'], ['444', '4:4:4']]) {
  const { data } = jpeg.decode(readFileSync(`${name}.jpg`), { useTArray: true, formatAsRGBA: false });
  const other = readFileSync(`${name}.rgb`);
  let [most, sum] = [0, 0];
  for (let at = 0; at < other.length; at++) {
    const difference = Math.abs(data[at] - other[at]);
    most = Math.max(most, difference);
    sum += difference;
  }
  largest[name] = most;
  console.log(`${words} largest difference ${most}, mean ${(sum / other.length).toFixed(2)}`);
}
if (!(largest['420'] > 20 && largest['444'] <= 3)) {
  console.error('This has changed');
  process.exit(1);
}
JS
node compare.mjs
