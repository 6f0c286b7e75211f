#!/usr/bin/env bash
# One and the same float becomes two different numbers in one array where NumPy converts it to uint32 and it does not fit: the values that
# fill a vector of the processor give one, the last few another. A NaN becomes 2147483648 or 0, 1e10 becomes 0 or 1410065408. So a depth or
# count picture with dead pixels changes with its size, and a crop of it is not what the whole has there. To uint8, uint16 and int32
# all places give the same. NumPy warns once ("invalid value encountered in cast").
#
# Seen with NumPy 2.4.6 (x86-64 with AVX2 or AVX-512), Python 3.11, the first and the last of 9 and of 33 values:
#   float32 nan: 2147483648 0, 2147483648 0; 1e10: 0 1410065408, 0 1410065408; float64 5e9 (33): 0 705032704
#   uint8, uint16 and int32 of nan: 0 0, 0 0, -2147483648 -2147483648
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6
env/bin/python -W ignore - <<'PY' | tee seen
import numpy

def ends(value, count, to="uint32", of="float32"):
    converted = numpy.full(count, value, of).astype(to)
    return "%d %d" % (converted[0], converted[-1])

nan = numpy.nan
print("float32 nan: %s, %s; 1e10: %s, %s; float64 5e9 (33): %s" % (
    ends(nan, 9), ends(nan, 33), ends(1e10, 9), ends(1e10, 33), ends(5e9, 33, of="float64")))
print("uint8, uint16 and int32 of nan: %s, %s, %s" % tuple(ends(nan, 33, to) for to in ("uint8", "uint16", "int32")))
PY
expected='float32 nan: 2147483648 0, 2147483648 0; 1e10: 0 1410065408, 0 1410065408; float64 5e9 (33): 0 705032704
uint8, uint16 and int32 of nan: 0 0, 0 0, -2147483648 -2147483648'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
