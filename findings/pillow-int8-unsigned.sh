#!/usr/bin/env bash
# Image.fromarray of Pillow takes int8, as quantised networks give it, and reads its bytes as unsigned: -1 becomes 255 in a picture of
# mode I, which could hold -1. int16 and int32 keep their signs, int64 and float16 are refused.
#
# Seen with Pillow 13.0.0 (12.0.0 the same), NumPy 2.4.6, Python 3.11 (the values -1 and 5):
#   int8: I [255, 5]; int16: I [-1, 5]; int32: I [-1, 5]; int64: refused; float16: refused
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
env/bin/python - <<'PY' | tee seen
import numpy
from PIL import Image
def tell(kind):
    try:
        picture = Image.fromarray(numpy.array([[-1, 5]], kind))
    except TypeError:
        return kind + ": refused"
    return "%s: %s %s" % (kind, picture.mode, numpy.asarray(picture)[0].tolist())
print("; ".join(tell(kind) for kind in ("int8", "int16", "int32", "int64", "float16")))
PY
expected='int8: I [255, 5]; int16: I [-1, 5]; int32: I [-1, 5]; int64: refused; float16: refused'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
