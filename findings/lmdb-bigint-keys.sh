#!/usr/bin/env bash
# lmdb for Node (npm lmdb) takes BigInt keys, such as times in nanoseconds, and gives each key back as a number where a double holds
# its value, and as a BigInt elsewhere: the type of a key depends on the value, so that sums of keys throw TypeError and `===` fails for
# one key in 256 of today's times. The key -0 is stored beside 0 and comes back as an array.
#
# Seen with lmdb 3.5.6, Node 20:
#   1700000000000000255n: bigint, 1700000000000000256n: number, 1700000000000000257n: bigint
#   keys put as 0 and -0: [0,["\u0018",null]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund lmdb@3.5.6
cat > look.mjs <<'JS'
import { open } from 'lmdb';
const store = open({ path: 'store' });
const base = 1_700_000_000_000_000_255n;
for (const key of [base, base + 1n, base + 2n]) await store.put(key, 'x');
console.log([...store.getKeys()].map((key, at) => `${base + BigInt(at)}n: ${typeof key}`).join(', '));
await store.clearAsync();
for (const key of [0, -0]) await store.put(key, 'x');
console.log(`keys put as 0 and -0: ${JSON.stringify([...store.getKeys()])}`);
await store.close();
JS
node look.mjs | tee seen
expected='1700000000000000255n: bigint, 1700000000000000256n: number, 1700000000000000257n: bigint
keys put as 0 and -0: [0,["\u0018",null]]'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
