#!/usr/bin/env bash
# dilate() and erode() of sharp, described as expanding and shrinking foreground objects, join the bits of neighbouring pixels
# instead of taking the larger or the smaller one. That is right for pictures of 0 and 255 alone. Between the grey values 10 and 200
# come 8 (10 & 200) and 202 (10 | 200), which no pixel had, and a picture of 16 bits becomes 255 wherever it is not 0: a grey picture of a
# 12- or 16-bit camera is black and even. Foreground is what is dark: dilate() shrinks a bright spot. There is no error. Cut with
# threshold() first, or take OpenCV for grey pictures.
#
# Seen with sharp 0.35.5, Node 20, libvips 8.18.7 (a spot of 45 pixels; values, and pixels that are brighter than 100, or 10000 in 16 bits):
#   0 and 255: as it is 0 255, 45 bright; dilate 0 255, 21 bright; erode 0 255, 77 bright
#   10 and 200: as it is 10 200, 45 bright; dilate 8 10 200, 21 bright; erode 10 200 202, 77 bright
#   1000 and 40000: as it is 1000 40000, 45 bright; dilate 255, 0 bright; erode 255, 0 bright
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund sharp@0.35.5
cat > look.mjs <<'JS'
import sharp from 'sharp';
const side = 16;
const inside = (place) => Math.hypot((place % side) - 8, Math.floor(place / side) - 8) < 4;
const steps = { 'as it is': (picture) => picture, dilate: (picture) => picture.dilate(1), erode: (picture) => picture.erode(1) };
for (const [Kind, space, depth, dark, bright] of [
  [Uint8Array, 'b-w', 'uchar', 0, 255],
  [Uint8Array, 'b-w', 'uchar', 10, 200],
  [Uint16Array, 'grey16', 'ushort', 1000, 40000],
]) {
  const pixels = Kind.from({ length: side * side }, (_, place) => (inside(place) ? bright : dark));
  const png = await sharp(pixels, { raw: { width: side, height: side, channels: 1 } }).toColourspace(space).png().toBuffer();
  const seen = [];
  for (const [name, step] of Object.entries(steps)) {
    const { buffer, byteOffset, length } = await step(sharp(png)).toColourspace(space).raw({ depth }).toBuffer();
    const out = new Kind(buffer.slice(byteOffset, byteOffset + length));
    const values = [...new Set(out)].sort((one, other) => one - other);
    seen.push(`${name} ${values.join(' ')}, ${out.filter((value) => value > (Kind === Uint8Array ? 100 : 10000)).length} bright`);
  }
  console.log(`${dark} and ${bright}: ${seen.join('; ')}`);
}
JS
node look.mjs | tee seen
[ "$(cat seen)" = '0 and 255: as it is 0 255, 45 bright; dilate 0 255, 21 bright; erode 0 255, 77 bright
10 and 200: as it is 10 200, 45 bright; dilate 8 10 200, 21 bright; erode 10 200 202, 77 bright
1000 and 40000: as it is 1000 40000, 45 bright; dilate 255, 0 bright; erode 255, 0 bright' ] || { echo 'This has changed' >&2; exit 1; }
