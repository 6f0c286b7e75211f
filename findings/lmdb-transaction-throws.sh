#!/usr/bin/env bash
# An error thrown in `transaction` of lmdb for Node (npm lmdb) rejects, and what was put before it is committed all the same: half a
# change stays. `childTransaction` and `transactionSync` roll it back.
#
# Seen with lmdb 3.5.6, Node 20:
#   transaction: rejected, first half stays; childTransaction: rejected, nothing stays; transactionSync: rejected, nothing stays
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund lmdb@3.5.6
cat > look.mjs <<'JS'
import { open } from 'lmdb';
const store = open({ path: 'store' });
const half = (key) => () => {
  store.put(key, 'first half');
  throw new Error('the second half failed');
};
const found = [];
for (const kind of ['transaction', 'childTransaction', 'transactionSync']) {
  const how = await (async () => store[kind](half(kind)))().then(() => 'resolved', () => 'rejected');
  await store.flushed;
  found.push(`${kind}: ${how}, ${store.get(kind) ?? 'nothing'} stays`);
}
console.log(found.join('; '));
await store.close();
JS
node look.mjs | tee seen
expected='transaction: rejected, first half stays; childTransaction: rejected, nothing stays; transactionSync: rejected, nothing stays'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
