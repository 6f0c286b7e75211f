#!/usr/bin/env bash
# Node's readv fills at most 1,024 buffers (IOV_MAX of Linux) and says so in the number of bytes alone, also where the file has more;
# writev of the same buffers goes on until all are written. Pieces written by one call are not read back by one.
#
# Seen with Node 20.20.2 on Linux (2,000 buffers of one byte):
#   writev: 2000 bytes; readv: 1024 bytes; by promises: 2000 and 1024
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
[ "$(uname)" = Linux ] || { echo 'skipped: IOV_MAX differs here'; exit 0; }
cat > look.mjs <<'JS'
import { openSync, readvSync, writevSync } from 'node:fs';
import { open } from 'node:fs/promises';
const pieces = () => Array.from({ length: 2000 }, () => Buffer.alloc(1));
const file = openSync('file', 'w+');
const [wrote, read] = [writevSync(file, pieces()), readvSync(file, pieces(), 0)];
const handle = await open('file', 'w+');
const { bytesWritten } = await handle.writev(pieces(), 0);
const { bytesRead } = await handle.readv(pieces(), 0);
await handle.close();
console.log(`writev: ${wrote} bytes; readv: ${read} bytes; by promises: ${bytesWritten} and ${bytesRead}`);
JS
node look.mjs | tee seen
expected='writev: 2000 bytes; readv: 1024 bytes; by promises: 2000 and 1024'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
