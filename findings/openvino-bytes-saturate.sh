#!/usr/bin/env bash
# The same ONNX model computes other numbers with bytes in OpenVINO (CPU) than in ONNX Runtime. A difference of two uint8 pictures in the
# model, 10 - 20, is 246 in ONNX Runtime, as in NumPy, and 0 in OpenVINO: Sub, Add and Mul of uint8 and int8 stop at the ends of the range there.
# With 16 and 32 bits they start again at the other end in both. A threshold on the difference sees darker spots with one runtime and
# none with the other; neither says a word. Cast to float (or int16) before arithmetic, then both agree.
#
# Seen with openvino 2026.4.1, ONNX Runtime 1.32.0, onnx 1.23.2, NumPy 2.4.6, Python 3.11 (x86-64):
#   Sub of uint8, [10, 200] and [20, 100]: ONNX Runtime 246 100, OpenVINO 0 100
#   Add of uint8, [200, 7] and [100, 9]: ONNX Runtime 44 16, OpenVINO 255 16
#   Mul of uint8, [200, 7] and [2, 9]: ONNX Runtime 144 63, OpenVINO 255 63
#   Sub of int8, [-100, 7] and [100, 9]: ONNX Runtime 56 -2, OpenVINO -128 -2
#   Sub of uint16, [10, 200] and [20, 100]: ONNX Runtime 65526 100, OpenVINO 65526 100
#   Mul of int32, [2147483647, 7] and [2, 9]: ONNX Runtime -2 63, OpenVINO -2 63
#   Sub of uint8 as float32, [10, 200] and [20, 100]: ONNX Runtime -10 100, OpenVINO -10 100
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy, onnxruntime, openvino
from onnx import helper

core = openvino.Core()

def show(operator, kind, first, second, cast=None):
    a, b = (numpy.array(values, kind) for values in (first, second))
    type_of = helper.np_dtype_to_tensor_dtype(a.dtype)
    out = helper.np_dtype_to_tensor_dtype(numpy.dtype(cast)) if cast else type_of
    nodes = [helper.make_node(operator, ['a', 'b'], ['y'])]
    if cast:
        nodes = [helper.make_node('Cast', [name], [name + '2'], to=out) for name in 'ab'] + [helper.make_node(operator, ['a2', 'b2'], ['y'])]
    ins = [helper.make_tensor_value_info(name, type_of, a.shape) for name in 'ab']
    graph = helper.make_graph(nodes, 'bytes', ins, [helper.make_tensor_value_info('y', out, a.shape)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9).SerializeToString()
    ours = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider']).run(None, {'a': a, 'b': b})[0]
    other = core.compile_model(core.read_model(model), 'CPU')({'a': a, 'b': b})[0]
    print('%s of %s%s, %s and %s: ONNX Runtime %s, OpenVINO %s' % (
        operator, kind, ' as ' + cast if cast else '', first, second,
        ' '.join('%d' % value for value in ours), ' '.join('%d' % value for value in other)))

show('Sub', 'uint8', [10, 200], [20, 100])
show('Add', 'uint8', [200, 7], [100, 9])
show('Mul', 'uint8', [200, 7], [2, 9])
show('Sub', 'int8', [-100, 7], [100, 9])
show('Sub', 'uint16', [10, 200], [20, 100])
show('Mul', 'int32', [2147483647, 7], [2, 9])
show('Sub', 'uint8', [10, 200], [20, 100], 'float32')
PY
cat seen
[ "$(cat seen)" = 'Sub of uint8, [10, 200] and [20, 100]: ONNX Runtime 246 100, OpenVINO 0 100
Add of uint8, [200, 7] and [100, 9]: ONNX Runtime 44 16, OpenVINO 255 16
Mul of uint8, [200, 7] and [2, 9]: ONNX Runtime 144 63, OpenVINO 255 63
Sub of int8, [-100, 7] and [100, 9]: ONNX Runtime 56 -2, OpenVINO -128 -2
Sub of uint16, [10, 200] and [20, 100]: ONNX Runtime 65526 100, OpenVINO 65526 100
Mul of int32, [2147483647, 7] and [2, 9]: ONNX Runtime -2 63, OpenVINO -2 63
Sub of uint8 as float32, [10, 200] and [20, 100]: ONNX Runtime -10 100, OpenVINO -10 100' ] || { echo 'This has changed' >&2; exit 1; }
