#!/usr/bin/env bash
# The same loop over two pictures of 8 bits has two answers. NumPy computes a difference of two uint8 in uint8: 10 - 20 is 246, with a
# warning. numba compiles the line to 64 bits without a sign: 10 - 20 is about 1.8e19, abs() leaves it so, and a sum of differences, a maximum or
# a threshold over the picture is lost by one pixel, without a warning. int(), which mends it in NumPy, changes nothing in numba: it keeps
# what has no sign. Of int8 numba is right (200) where NumPy wraps. Subtracting whole arrays inside the compiled function keeps 8 bits, as
# NumPy does. Write numpy.int64(a[i]) - numpy.int64(b[i]), which is right in both.
#
# Seen with numba 0.68.1, NumPy 2.4.6, Python 3.11 (abs(a[i] - b[i]), element by element):
#   uint8 10 and 20: NumPy 246, numba 18446744073709551616
#   uint8 20 and 10: NumPy 10, numba 10
#   int8 -100 and 100: NumPy 56, numba 200
#   uint8 arrays of 10 and 20: NumPy 246, numba 246
#   with int(): NumPy 10, numba 18446744073709551616
#   with numpy.int64(): NumPy 10, numba 10
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
env/bin/python -W ignore - > seen <<'PY'
import numpy
from numba import njit
def difference(a, b):
    out = numpy.empty(a.size, numpy.float64)
    for index in range(a.size):
        out[index] = abs(a[index] - b[index])
    return out
def with_int(a, b):
    out = numpy.empty(a.size, numpy.float64)
    for index in range(a.size):
        out[index] = abs(int(a[index]) - int(b[index]))
    return out
def signed(a, b):
    out = numpy.empty(a.size, numpy.float64)
    for index in range(a.size):
        out[index] = abs(numpy.int64(a[index]) - numpy.int64(b[index]))
    return out
def whole(a, b):
    return a - b
for kind, first, second in ((numpy.uint8, 10, 20), (numpy.uint8, 20, 10), (numpy.int8, -100, 100)):
    a, b = numpy.array([first], kind), numpy.array([second], kind)
    print('%s %d and %d: NumPy %d, numba %d' % (kind.__name__, first, second, difference(a, b)[0], njit(difference)(a, b)[0]))
a, b = numpy.array([10], numpy.uint8), numpy.array([20], numpy.uint8)
print('uint8 arrays of 10 and 20: NumPy %d, numba %d' % (whole(a, b)[0], njit(whole)(a, b)[0]))
print('with int(): NumPy %d, numba %d' % (with_int(a, b)[0], njit(with_int)(a, b)[0]))
print('with numpy.int64(): NumPy %d, numba %d' % (signed(a, b)[0], njit(signed)(a, b)[0]))
PY
cat seen
[ "$(cat seen)" = 'uint8 10 and 20: NumPy 246, numba 18446744073709551616
uint8 20 and 10: NumPy 10, numba 10
int8 -100 and 100: NumPy 56, numba 200
uint8 arrays of 10 and 20: NumPy 246, numba 246
with int(): NumPy 10, numba 18446744073709551616
with numpy.int64(): NumPy 10, numba 10' ] || { echo 'This has changed' >&2; exit 1; }
