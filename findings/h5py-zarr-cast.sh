#!/usr/bin/env bash
# The same assignment of pixels to a dataset of another type keeps other values in h5py than in zarr and NumPy. HDF5 converts by its own
# rules: what is above or below the range becomes its end (300 is 255, -1 is 0), also between integers, so that a picture of -1 and 256 is
# 0 and 255 without a word. zarr and NumPy start again from the other end (300 is 44, -1 is 255, 256 is 0), zarr with a warning at most for NaN and
# infinity. Reading into an array of a smaller type (read_direct, astype of h5py) goes by the rules of HDF5 too. A threshold that was
# set on pictures of one store is wrong on those of the other. Round and clip before you write.
#
# Seen with h5py 3.16.0, zarr 3.1.6, NumPy 2.4.6, Python 3.11 (dataset[...] = values, the dataset of the smaller type):
#   float64 300.7, -1.5, 254.9, inf to uint8: h5py 255 0 254 255, zarr 44 255 254 0
#   int16 256, -1, 5, 4095 to uint8: h5py 255 0 5 255, zarr 0 255 5 255
#   int64 70000, -70000 to int16: h5py 32767 -32768, zarr 4464 -4464
#   int16 256, -1, 5, 4095 read from int16 as uint8: h5py 255 0 5 255, NumPy 0 255 5 255
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 zarr==3.1.6 numpy==2.4.6
env/bin/python -W ignore - > seen <<'PY'
import h5py
import numpy
import zarr
def shown(values):
    return ' '.join(str(int(value)) for value in values)
with h5py.File('a.h5', 'w') as file:
    for values, kind in (([300.7, -1.5, 254.9, numpy.inf], numpy.uint8), (numpy.int16([256, -1, 5, 4095]), numpy.uint8),
                         (numpy.int64([70000, -70000]), numpy.int16)):
        values = numpy.asarray(values)
        name = '%s to %s' % (values.dtype, numpy.dtype(kind))
        in_h5 = file.create_dataset(name, values.shape, kind)
        in_zarr = zarr.create_array(store=zarr.storage.MemoryStore(), shape=values.shape, dtype=kind)
        in_h5[...] = values
        in_zarr[...] = values
        texts = ', '.join('%g' % value for value in values)
        print('%s %s to %s: h5py %s, zarr %s' % (values.dtype, texts, numpy.dtype(kind), shown(in_h5[...]), shown(in_zarr[...])))
    wide = file.create_dataset('wide', data=numpy.int16([256, -1, 5, 4095]))
    print('int16 256, -1, 5, 4095 read from int16 as uint8: h5py %s, NumPy %s' % (
        shown(wide.astype(numpy.uint8)[...]), shown(wide[...].astype(numpy.uint8))))
PY
cat seen
[ "$(cat seen)" = 'float64 300.7, -1.5, 254.9, inf to uint8: h5py 255 0 254 255, zarr 44 255 254 0
int16 256, -1, 5, 4095 to uint8: h5py 255 0 5 255, zarr 0 255 5 255
int64 70000, -70000 to int16: h5py 32767 -32768, zarr 4464 -4464
int16 256, -1, 5, 4095 read from int16 as uint8: h5py 255 0 5 255, NumPy 0 255 5 255' ] || { echo 'This has changed' >&2; exit 1; }
