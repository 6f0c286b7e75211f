#!/usr/bin/env bash
# A mark that sharp draws into a corner of a 16-bit picture (composite) takes the low bits of the whole picture: 64 grey values from 1000 to
# 1189 become two, 771 and 1028, in a file that still has 16 bits. composite works in sRGB of 8 bits, and so the picture goes there and
# back, also where nothing is drawn, with a mark of 16 bits, and with toColourspace('grey16') or 'rgb16' for the output. There is no error. The
# fine contrast of a 12-bit camera is gone from pictures that were marked before they are stored. pipelineColourspace('rgb16') keeps the
# bits; the alpha channel that composite adds stays until extractChannel(0).
#
# Seen with sharp 0.35.5, Node 20, libvips 8.18.7 (64 values, three apart; the part that is not drawn on):
#   as it is: ushort, 64 values from 1000 to 1189
#   a mark of 8 bits: ushort, 2 values from 771 to 1028
#   a mark of 8 bits, pipelineColourspace rgb16: ushort, 64 values from 1000 to 1189
#   a mark of 16 bits: ushort, 2 values from 771 to 1028
#   a mark of 16 bits, pipelineColourspace rgb16: ushort, 64 values from 1000 to 1189
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund sharp@0.35.5
cat > look.mjs <<'JS'
import sharp from 'sharp';
const side = 64;
const grey = (pixels, width) => sharp(pixels, { raw: { width, height: pixels.length / width, channels: 1 } }).toColourspace('grey16').png().toBuffer();
const picture = await grey(Uint16Array.from({ length: side * side }, (_, place) => 1000 + 3 * (place % side)), side);
const marks = {
  'a mark of 8 bits': await sharp({ create: { width: 8, height: 8, channels: 3, background: 'white' } }).png().toBuffer(),
  'a mark of 16 bits': await grey(new Uint16Array(64).fill(65535), 8),
};
async function show(name, pipeline) {
  const file = await pipeline.toColourspace('grey16').png().toBuffer();
  const { depth, channels } = await sharp(file).metadata();
  const { buffer, byteOffset, length } = await sharp(file).toColourspace('grey16').raw({ depth: 'ushort' }).toBuffer();
  const row = [...new Uint16Array(buffer.slice(byteOffset, byteOffset + length))].slice(-side * channels).filter((_, place) => place % channels === 0);
  console.log(`${name}: ${depth}, ${new Set(row).size} values from ${Math.min(...row)} to ${Math.max(...row)}`);
}
await show('as it is', sharp(picture));
for (const [name, input] of Object.entries(marks)) {
  const drawn = [{ input, left: 0, top: 0 }];
  await show(name, sharp(picture).composite(drawn));
  await show(`${name}, pipelineColourspace rgb16`, sharp(picture).pipelineColourspace('rgb16').composite(drawn));
}
JS
node look.mjs | tee seen
[ "$(cat seen)" = 'as it is: ushort, 64 values from 1000 to 1189
a mark of 8 bits: ushort, 2 values from 771 to 1028
a mark of 8 bits, pipelineColourspace rgb16: ushort, 64 values from 1000 to 1189
a mark of 16 bits: ushort, 2 values from 771 to 1028
a mark of 16 bits, pipelineColourspace rgb16: ushort, 64 values from 1000 to 1189' ] || { echo 'This has changed' >&2; exit 1; }
