#!/usr/bin/env bash
# sharp opens a TIFF of half floats (16 bits, SampleFormat 3: depth maps and results of networks), says "float" and "grey16" of it,
# and its stats() tell the true mean, while every pixel that comes out is 0: a black picture and no error. float32 comes out right.
# Pillow and OpenCV refuse half floats, tifffile reads them.
#
# Seen with sharp 0.35.5, tifffile 2026.3.3, NumPy 2.4.6 (all pixels 100):
#   float16: float, mean 100, pixels out 0
#   float32: float, mean 100, pixels out 100
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check tifffile==2026.3.3 numpy==2.4.6
npm init -y >/dev/null && npm install --silent --no-audit --no-fund sharp@0.35.5
env/bin/python -c 'import numpy, tifffile
for kind in ("float16", "float32"):
    tifffile.imwrite(kind + ".tif", numpy.full((4, 4), 100, kind))'
cat > look.mjs <<'JS'
import sharp from 'sharp';
for (const kind of ['float16', 'float32']) {
  const { depth } = await sharp(`${kind}.tif`).metadata();
  const [{ mean }] = (await sharp(`${kind}.tif`).stats()).channels;
  const out = await sharp(`${kind}.tif`).raw({ depth: 'float' }).toBuffer();
  console.log(`${kind}: ${depth}, mean ${mean}, pixels out ${out.readFloatLE(0)}`);
}
JS
node look.mjs | tee seen
expected='float16: float, mean 100, pixels out 0
float32: float, mean 100, pixels out 100'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
