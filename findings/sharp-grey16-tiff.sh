#!/usr/bin/env bash
# sharp 0.35.5 (npm) writes a gray picture of 16 bits as a TIFF of 8 bits, without an error or a warning, although grey16 is asked for.
#
# The cause is the default compression of its TIFF output, jpeg, which has 8 bits. With lzw, deflate or none the same pipeline
# keeps 16 bits, and so does PNG. A program that stores pictures of a 12-bit camera by `.toColourspace('grey16').tiff()` keeps their high
# bytes alone.
#
# Seen with Node 20.20.2, libvips 8.18.7:
#   png: ushort, 8 of 8 values are as they were
#   tiff: uchar, 1 of 8 values are as they were
#   tiff lzw: ushort, 8 of 8 values are as they were
#   tiff deflate: ushort, 8 of 8 values are as they were
#   tiff none: ushort, 8 of 8 values are as they were
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund sharp@0.35.5
cat > grey16.mjs <<'JS'
import sharp from 'sharp';
const values = new Uint16Array([1, 257, 4000, 4095, 9001, 30011, 60013, 65535]);
const gray = () => sharp(values, { raw: { width: 4, height: 2, channels: 1 } }).toColourspace('grey16');
const ways = {
  png: () => gray().png(),
  tiff: () => gray().tiff(),
  'tiff lzw': () => gray().tiff({ compression: 'lzw' }),
  'tiff deflate': () => gray().tiff({ compression: 'deflate' }),
  'tiff none': () => gray().tiff({ compression: 'none' }),
};
const depths = {};
for (const [name, way] of Object.entries(ways)) {
  const file = await way().toBuffer();
  const { depth } = await sharp(file).metadata();
  const { data } = await sharp(file).toColourspace('grey16').raw({ depth: 'ushort' }).toBuffer({ resolveWithObject: true });
  const read = new Uint16Array(data.buffer, data.byteOffset, values.length);
  const kept = values.filter((value, at) => value === read[at]).length;
  console.log(`${name}: ${depth}, ${kept} of ${values.length} values are as they were`);
  depths[name] = `${depth} ${kept === values.length}`;
}
const isSame =
  depths.tiff === 'uchar false' &&
  ['png', 'tiff lzw', 'tiff deflate', 'tiff none'].every((name) => depths[name] === 'ushort true');
if (!isSame) {
  console.error('changed: the default TIFF alone had 8 bits');
  process.exit(1);
}
JS
node grey16.mjs
