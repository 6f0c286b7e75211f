#!/usr/bin/env bash
# cv2.dnn loads an ONNX model whose layers ask for something that it does not do, and computes something else, without a word.
# auto_pad SAME_LOWER, which puts the odd pixel of padding before the picture, is computed as SAME_UPPER, so that all that follows is
# shifted by a pixel. Softmax of operator sets up to 12 is over all axes from `axis` on, and is computed over that axis alone: the four
# probabilities below add up to 2. ONNX Runtime does what the standard says. Compare both before a model moves to OpenCV, write `pads`
# instead of auto_pad, and flatten before such a Softmax.
#
# Seen with opencv-python-headless 4.14.0.94 and 5.0.0.93, ONNX Runtime 1.32.0, onnx 1.23.2, NumPy 2.4.6, Python 3.11 (the row 1 2 3 4; Softmax
# of 2 x 2 zeros):
#   ONNX Runtime: Conv 10 21 32 43, MaxPool 1 2 3 4, AveragePool 1 1.5 2.5 3.5, Softmax 0.25 0.25 0.25 0.25
#   OpenCV 4.14.0: Conv 21 32 43 4, MaxPool 2 3 4 4, AveragePool 1.5 2.5 3.5 4, Softmax 0.5 0.5 0.5 0.5
#   OpenCV 5.0.0: Conv 21 32 43 4, MaxPool 2 3 4 4, AveragePool 1.5 2.5 3.5 4, Softmax 0.5 0.5 0.5 0.5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > look.py <<'PY'
import cv2, numpy, onnx, onnxruntime, sys
from onnx import TensorProto, helper, numpy_helper
row = numpy.array([[[[1, 2, 3, 4]]]], numpy.float32)
zeros = numpy.zeros((1, 2, 2), numpy.float32)
weights = [numpy_helper.from_array(numpy.array([[[[1, 10]]]], numpy.float32), 'w')]
layers = [
    ('Conv', 17, row, weights, {'auto_pad': 'SAME_LOWER'}),
    ('MaxPool', 17, row, [], {'kernel_shape': [1, 2], 'auto_pad': 'SAME_LOWER'}),
    ('AveragePool', 17, row, [], {'kernel_shape': [1, 2], 'auto_pad': 'SAME_LOWER'}),
    ('Softmax', 12, zeros, [], {'axis': 1}),
]
def model(operator, opset, x, weights, attributes):
    node = helper.make_node(operator, ['x'] + [one.name for one in weights], ['y'], **attributes)
    graph = helper.make_graph(
        [node], 'one', [helper.make_tensor_value_info('x', TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, None)], weights)
    made = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=8))
    onnx.checker.check_model(made)
    return made.SerializeToString()
def by_onnxruntime(data, x):
    return onnxruntime.InferenceSession(data, providers=['CPUExecutionProvider']).run(None, {'x': x})[0]
def by_opencv(data, x):
    net = cv2.dnn.readNetFromONNX(numpy.frombuffer(data, numpy.uint8))
    net.setInput(x, 'x')
    return net.forward()
def show(name, run):
    print(f'{name}: ' + ', '.join(
        '%s %s' % (layer[0], ' '.join('%g' % value for value in run(model(*layer), layer[2]).ravel().round(2))) for layer in layers))
if sys.argv[1:] == ['onnxruntime']:
    show('ONNX Runtime', by_onnxruntime)
show(f'OpenCV {cv2.__version__}', by_opencv)
PY
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check opencv-python-headless==4.14.0.94 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
env/bin/python look.py onnxruntime >> seen
env/bin/pip install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93
env/bin/python look.py >> seen
cat seen
wrong='Conv 21 32 43 4, MaxPool 2 3 4 4, AveragePool 1.5 2.5 3.5 4, Softmax 0.5 0.5 0.5 0.5'
[ "$(cat seen)" = "ONNX Runtime: Conv 10 21 32 43, MaxPool 1 2 3 4, AveragePool 1 1.5 2.5 3.5, Softmax 0.25 0.25 0.25 0.25
OpenCV 4.14.0: $wrong
OpenCV 5.0.0: $wrong" ] || { echo 'This has changed' >&2; exit 1; }
