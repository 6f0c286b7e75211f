#!/usr/bin/env bash
# numexpr computes pictures of 8 and 16 bits as int32: a difference of bytes is right, 10 - 20 is -10, which NumPy gets wrong, so one comes to
# trust it. But sums stay in int32 as well: a picture of 12 megapixels at 200 has the sum -1894967296, and its mean is negative; with the
# 8 megapixels of the camera before all was right. A square of 16 bits (the variance of a 12-bit picture scaled to 16) wraps for each pixel above
# 46340. NumPy sums in 64 bits. bottleneck's nansum, described as a faster numpy.nansum, sums int32 in int32 in the same way. No error, no
# warning. Multiply by 1.0 inside the expression, which makes it float64, or give int64.
#
# Seen with numexpr 2.14.2, bottleneck 1.6.0, NumPy 2.4.6, Python 3.11:
#   10 - 20 of uint8: numexpr -10, NumPy 246
#   2448 x 3264 of 200: numexpr 1598054400, with * 1.0 1598054400, NumPy 1598054400; mean by numexpr 200
#   3000 x 4000 of 200: numexpr -1894967296, with * 1.0 2400000000, NumPy 2400000000; mean by numexpr -157.914
#   square of 46340 (uint16): numexpr 2147395600
#   square of 46341 (uint16): numexpr -2147479015
#   square of 60000 (uint16): numexpr -694967296
#   sum of a million 3000 (int32): bottleneck -1294967296, NumPy 3000000000, NumPy nansum 3000000000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check numexpr==2.14.2 bottleneck==1.6.0 numpy==2.4.6
env/bin/python - > seen <<'PY'
import bottleneck, numexpr, numpy
a, b = numpy.array([10], numpy.uint8), numpy.array([20], numpy.uint8)
print('10 - 20 of uint8: numexpr %d, NumPy %d' % (numexpr.evaluate('a - b')[0], (a - b)[0]))
for height, width in ((2448, 3264), (3000, 4000)):
    picture = numpy.full((height, width), 200, numpy.uint8)
    print('%d x %d of 200: numexpr %d, with * 1.0 %d, NumPy %d; mean by numexpr %g' % (
        height, width, numexpr.evaluate('sum(picture)'), numexpr.evaluate('sum(picture * 1.0)'), picture.sum(),
        numexpr.evaluate('sum(picture)') / picture.size))
for value in (46340, 46341, 60000):
    picture = numpy.full((2, 2), value, numpy.uint16)
    print('square of %d (uint16): numexpr %d' % (value, numexpr.evaluate('picture * picture')[0, 0]))
counts = numpy.full((1000, 1000), 3000, numpy.int32)
print('sum of a million 3000 (int32): bottleneck %d, NumPy %d, NumPy nansum %d' % (bottleneck.nansum(counts), counts.sum(), numpy.nansum(counts)))
PY
cat seen
[ "$(cat seen)" = '10 - 20 of uint8: numexpr -10, NumPy 246
2448 x 3264 of 200: numexpr 1598054400, with * 1.0 1598054400, NumPy 1598054400; mean by numexpr 200
3000 x 4000 of 200: numexpr -1894967296, with * 1.0 2400000000, NumPy 2400000000; mean by numexpr -157.914
square of 46340 (uint16): numexpr 2147395600
square of 46341 (uint16): numexpr -2147479015
square of 60000 (uint16): numexpr -694967296
sum of a million 3000 (int32): bottleneck -1294967296, NumPy 3000000000, NumPy nansum 3000000000' ] || { echo 'This has changed' >&2; exit 1; }
