#!/usr/bin/env bash
# require_array of zarr's groups gives the array of a name, and creates it where there is none; h5py's require_dataset does the same. Where
# one of another type is there, both ask whether a safe cast leads from one type to the other, but zarr asks for the wrong direction: it
# gives the old uint8 array to a program that asks for uint16 or float32, and refuses the uint16 one to a program that asks for uint8,
# which would fit. What is written then loses its upper bits without an error or a warning: after a camera's change from 8 to
# 12 bits, 256 is stored as 0. zarr.open_array(mode='a', shape, dtype) does not compare at all. `exact=True` refuses, as does
# h5py in both.
#
# Seen with zarr 3.1.6, h5py 3.16.0, NumPy 2.4.6, Python 3.11 (what is there, what is asked for, what is given):
#   uint8, uint16: zarr uint8, h5py refuses
#   uint8, float32: zarr uint8, h5py refuses
#   uint16, uint8: zarr refuses, h5py uint16
#   float32, uint16: zarr refuses, h5py float32
#   255 256 4095 in the uint16 asked for: 255 0 255; exact: refuses; open_array of (8,) uint16: (3,) uint8
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check zarr==3.1.6 h5py==3.16.0 numpy==2.4.6
env/bin/python -W error - > seen <<'PY'
import h5py, numpy, zarr
def kind(get):
    try:
        return get().dtype.name
    except TypeError:
        return 'refuses'
group = zarr.open_group('store.zarr', mode='w')
file = h5py.File('store.h5', 'w')
for name in ('uint8', 'uint16', 'float32'):
    group.create_array(name, shape=(3,), dtype=name)
    file.create_dataset(name, (3,), name)
for there, asked in (('uint8', 'uint16'), ('uint8', 'float32'), ('uint16', 'uint8'), ('float32', 'uint16')):
    print('%s, %s: zarr %s, h5py %s' % (
        there, asked, kind(lambda: group.require_array(there, shape=(3,), dtype=asked)),
        kind(lambda: file.require_dataset(there, (3,), asked))))
array = group.require_array('uint8', shape=(3,), dtype='uint16')
array[:] = numpy.array([255, 256, 4095], 'uint16')
again = zarr.open_array('store.zarr/uint8', mode='a', shape=(8,), dtype='uint16')
print('255 256 4095 in the uint16 asked for: %s; exact: %s; open_array of (8,) uint16: %s %s' % (
    ' '.join(str(value) for value in array[:]), kind(lambda: group.require_array('uint8', shape=(3,), dtype='uint16', exact=True)),
    again.shape, again.dtype))
PY
cat seen
[ "$(cat seen)" = 'uint8, uint16: zarr uint8, h5py refuses
uint8, float32: zarr uint8, h5py refuses
uint16, uint8: zarr refuses, h5py uint16
float32, uint16: zarr refuses, h5py float32
255 256 4095 in the uint16 asked for: 255 0 255; exact: refuses; open_array of (8,) uint16: (3,) uint8' ] || { echo 'This has changed' >&2; exit 1; }
