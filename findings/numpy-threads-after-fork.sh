#!/usr/bin/env bash
# NumPy 2.2.6 and 2.4.6 (OpenBLAS in their wheels) start the threads of OpenBLAS when they are imported. A process that is forked
# after the import has one thread, and OpenBLAS starts them anew there, but only with the first work that is large enough: small
# products leave the forked process at one thread for as long as it lives.
#
# So the number of threads of a forked worker is no sign that something is lost, and a fork right after `import numpy` is
# sound although that process has threads, of which Python 3.12 and later warn at the fork.
#
# Seen with Python 3.11 on Linux, on two cores; threads after the import, in the fork, after a product of 8 x 8 there, and after
# a product of 600 x 600 there:
#   numpy 2.2.6: 2, 1, 1, 2; the products are equal
#   numpy 2.4.6: 2, 1, 1, 2; the products are equal
set -euo pipefail
[ "$(nproc)" -ge 2 ] || { echo 'skipped: one core has no threads to show'; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > threads.py <<'PY'
import os
import numpy

def threads():
    return len(os.listdir("/proc/self/task"))

small, large = numpy.eye(8), numpy.arange(360000, dtype=float).reshape(600, 600) / 1000
counts = [threads()]
reader, writer = os.pipe()
if os.fork() == 0:
    found = [threads()]
    small @ small
    found.append(threads())
    product = large @ large
    found.append(threads())
    os.write(writer, ("%s %r" % (",".join(map(str, found)), float(product.sum()))).encode())
    os._exit(0)
os.wait()
found, total = os.read(reader, 1000).decode().split()
counts += found.split(",")
same = abs(float(total) - float((large @ large).sum())) <= 1e-9 * abs(float(total))
print("numpy %s: %s; the products are %s" % (numpy.__version__, ", ".join(map(str, counts)), "equal" if same else "not equal"))
PY
for version in 2.2.6 2.4.6; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check "numpy==$version"
  OPENBLAS_NUM_THREADS=2 "$version/bin/python" -W ignore threads.py
done | tee seen
expected='numpy 2.2.6: 2, 1, 1, 2; the products are equal
numpy 2.4.6: 2, 1, 1, 2; the products are equal'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
