#!/usr/bin/env bash
# harvesters, the GenICam client for Python, unpacks Mono14p (four pixels of 14 bits in seven bytes) wrongly: of each four pixels the second
# loses its upper four bits and the third its upper two, so that from 1024 and from 4096 on they start again at 0. A bright
# picture has dark stripes of two columns, in a dark one nothing is wrong, and there is no error. Those two pixels lie in three bytes
# each, and the parts are joined by numpy.bitwise_or(a, b, c): the third place of a NumPy ufunc is not one more operand but `out`, the array
# for the result, so c is overwritten instead of joined. Mono10p, Mono12p, and the outer two pixels, need two bytes and are
# right. Let such a camera send Mono14 or Mono16, or unpack the bytes yourself.
#
# Seen with harvesters 1.4.3, genicam 1.6.0, NumPy 2.4.6, Python 3.11 (four pixels of one value, packed and unpacked):
#   Mono14p 1000: 1000 1000 1000 1000
#   Mono14p 3000: 3000 952 3000 3000
#   Mono14p 9000: 9000 808 808 9000
#   Mono14p 16383: 16383 1023 4095 16383
#   Mono12p 4095: 4095 4095 4095 4095
#   Mono10p 1023: 1023 1023 1023 1023
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check harvesters==1.4.3 genicam==1.6.0 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy
from harvesters.util import pfnc
def pack(pixels, bits):
    """As the naming convention puts them: the lowest bit of the first pixel is the lowest bit of the first byte."""
    joined = sum(pixel << bits * place for place, pixel in enumerate(pixels))
    return numpy.frombuffer(joined.to_bytes(len(pixels) * bits // 8, 'little'), numpy.uint8)
for kind, bits, value in ((pfnc.Mono14p, 14, 1000), (pfnc.Mono14p, 14, 3000), (pfnc.Mono14p, 14, 9000), (pfnc.Mono14p, 14, 16383),
                          (pfnc.Mono12p, 12, 4095), (pfnc.Mono10p, 10, 1023)):
    print('%s %d: %s' % (kind.__name__, value, ' '.join(str(pixel) for pixel in kind().expand(pack([value] * 4, bits)))))
PY
cat seen
[ "$(cat seen)" = 'Mono14p 1000: 1000 1000 1000 1000
Mono14p 3000: 3000 952 3000 3000
Mono14p 9000: 9000 808 808 9000
Mono14p 16383: 16383 1023 4095 16383
Mono12p 4095: 4095 4095 4095 4095
Mono10p 1023: 1023 1023 1023 1023' ] || { echo 'This has changed' >&2; exit 1; }
