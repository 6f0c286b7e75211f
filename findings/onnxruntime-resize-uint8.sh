#!/usr/bin/env bash
# A linear Resize of bytes (the picture goes into the model as uint8, so that less is copied) cuts each result to a whole number in ONNX
# Runtime on the CPU. It does not round, as onnx's own reference does. The picture loses half a grey level on average, and a
# picture of one value does not stay so: where the two weights add up to a hair less than 1, 200 becomes 199, in a pattern of lines that
# the threshold of an inspection can see. Which sizes do so cannot be told beforehand. int8 and int32 are cut too; with antialias=1 it
# rounds. The way out is a Cast to float before the Resize.
#
# Seen with ONNX Runtime 1.32.0 (x86-64), onnx 1.23.2, NumPy 2.4.6, Python 3.11 (480 x 770 pixels; loss of the mean of noise against float32):
#   to 224 x 224: flat 200 is 199 200, float32 200, antialias 200; loss 0.50, with antialias 0.00
#   to 333 x 517: flat 200 is 199 200, float32 200, antialias 200; loss 0.50, with antialias -0.01
#   to 960 x 1540: flat 200 is 200, float32 200, antialias 200; loss 0.47, with antialias -0.25
#   the row 100 7 3 enlarged by 2: ONNX Runtime 100 76 30 6 4 3, reference 100 77 30 6 4 3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy, onnxruntime
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
def model(kind, shape, **attributes):
    return helper.make_model(helper.make_graph(
        [helper.make_node('Resize', ['x', '', '', 'sizes'], ['y'], mode='linear', **attributes)], 'one',
        [helper.make_tensor_value_info('x', helper.np_dtype_to_tensor_dtype(numpy.dtype(kind)), ('a', 'b', 'c', 'd'))],
        [helper.make_tensor_value_info('y', helper.np_dtype_to_tensor_dtype(numpy.dtype(kind)), shape)],
        [numpy_helper.from_array(numpy.array(shape, numpy.int64), 'sizes')]), opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
def run(picture, kind, shape, **attributes):
    session = onnxruntime.InferenceSession(model(kind, shape, **attributes).SerializeToString(), providers=['CPUExecutionProvider'])
    return session.run(None, {'x': picture.astype(kind)})[0]
def values(picture):
    return ' '.join(str(value) for value in numpy.unique(numpy.round(picture.astype(float), 3)).astype(int))
flat = numpy.full((1, 3, 480, 770), 200)
noise = numpy.random.default_rng(0).integers(0, 256, (1, 3, 480, 770))
for height, width in ((224, 224), (333, 517), (960, 1540)):
    shape = (1, 3, height, width)
    def loss(**attributes):
        return round(float(run(noise, 'float32', shape, **attributes).mean(dtype=float) - run(noise, 'uint8', shape, **attributes).mean()), 2) + 0
    print('to %d x %d: flat 200 is %s, float32 %s, antialias %s; loss %.2f, with antialias %.2f' % (
        height, width, values(run(flat, 'uint8', shape)), values(run(flat, 'float32', shape)),
        values(run(flat, 'uint8', shape, antialias=1)), loss(), loss(antialias=1)))
row = numpy.array([100, 7, 3], 'uint8').reshape(1, 1, 1, 3)
(reference,) = ReferenceEvaluator(model('uint8', (1, 1, 1, 6))).run(None, {'x': row})
print('the row 100 7 3 enlarged by 2: ONNX Runtime %s, reference %s' % tuple(
    ' '.join(str(value) for value in found.ravel()) for found in (run(row, 'uint8', (1, 1, 1, 6)), reference)))
PY
cat seen
[ "$(cat seen)" = 'to 224 x 224: flat 200 is 199 200, float32 200, antialias 200; loss 0.50, with antialias 0.00
to 333 x 517: flat 200 is 199 200, float32 200, antialias 200; loss 0.50, with antialias -0.01
to 960 x 1540: flat 200 is 200, float32 200, antialias 200; loss 0.47, with antialias -0.25
the row 100 7 3 enlarged by 2: ONNX Runtime 100 76 30 6 4 3, reference 100 77 30 6 4 3' ] || { echo 'This has changed' >&2; exit 1; }
