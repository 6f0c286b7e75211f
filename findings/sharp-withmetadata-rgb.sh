#!/usr/bin/env bash
# sharp 0.35.5 (npm): withMetadata() turns a gray PNG of 16 bits into one of three channels; keepMetadata() leaves it gray.
#
# withMetadata() also means "convert to sRGB and attach its profile", and a gray picture becomes RGB by that, although grey16 is
# asked for and PNG can be gray. The file has three equal channels, so that it looks right; a reader that expects
# height x width values finds three times as many.
#
# Seen with Node 20.20.2, libvips 8.18.7:
#   as it is: 1 channel, grey16
#   keepMetadata: 1 channel, grey16
#   withMetadata: 3 channels, rgb16
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund sharp@0.35.5
cat > channels.mjs <<'JS'
import sharp from 'sharp';
const values = new Uint16Array([1, 257, 4000, 4095, 9001, 30011, 60013, 65535]);
const gray = await sharp(values, { raw: { width: 4, height: 2, channels: 1 } }).toColourspace('grey16').png().toBuffer();
const ways = {
  'as it is': (picture) => picture,
  keepMetadata: (picture) => picture.keepMetadata(),
  withMetadata: (picture) => picture.withMetadata(),
};
const seen = [];
for (const [name, way] of Object.entries(ways)) {
  const file = await way(sharp(gray)).toColourspace('grey16').png().toBuffer();
  const { channels, space } = await sharp(file).metadata();
  console.log(`${name}: ${channels} channel${channels === 1 ? '' : 's'}, ${space}`);
  seen.push(channels);
}
if (seen.join() !== '1,1,3') {
  console.error('changed: it was 1, 1 and 3 channels');
  process.exit(1);
}
JS
node channels.mjs
