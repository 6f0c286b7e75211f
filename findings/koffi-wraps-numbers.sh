#!/usr/bin/env bash
# koffi checks what kind of JavaScript value an argument is (a string or a boolean for an int throws TypeError) and not whether its
# number fits: it wraps at 32 bits, NaN is 0, a fraction is cut, a field of a struct wraps at its width; for 64 bits a double that is
# too large stops at the largest value, and a BigInt that is too large wraps. A result of 64 bits is a number or a BigInt by its size.
#
# Seen with koffi 3.3.4, Node 20, glibc:
#   int: 3e9 is 1294967296, NaN is 0, -1.5 is 1; uint8_t: 300 is 44; 64 bits: 1e19 is 9223372036854775807, 2n ** 63n is -9223372036854775808; results: number bigint; "5": TypeError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null && npm install --silent --no-audit --no-fund koffi@3.3.4
cat > look.mjs <<'JS'
import koffi from 'koffi';
const libc = koffi.load('libc.so.6');
const abs = libc.func('int abs(int)');
const llabs = libc.func('long long llabs(long long)');
const field = Buffer.alloc(1);
koffi.encode(field, koffi.struct({ value: 'uint8_t' }), { value: 300 });
let refused = 'taken';
try {
  abs('5');
} catch (error) {
  refused = error.constructor.name;
}
console.log(
  `int: 3e9 is ${abs(3e9)}, NaN is ${abs(NaN)}, -1.5 is ${abs(-1.5)}; uint8_t: 300 is ${field[0]}; ` +
    `64 bits: 1e19 is ${llabs(1e19)}, 2n ** 63n is ${llabs(2n ** 63n)}; ` +
    `results: ${typeof llabs(5)} ${typeof llabs(2n ** 60n)}; "5": ${refused}`,
);
JS
node look.mjs | tee seen
expected='int: 3e9 is 1294967296, NaN is 0, -1.5 is 1; uint8_t: 300 is 44; 64 bits: 1e19 is 9223372036854775807, 2n ** 63n is -9223372036854775808; results: number bigint; "5": TypeError'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
