#!/usr/bin/env bash
# onnx.version_converter lifts a model from operator set 9 or 10 to a newer one, and its linear Resize (Upsample before) computes other
# numbers afterwards: until set 10 a pixel stands at its corner, from 11 on at its middle unless an attribute says otherwise, and the
# converter does not write the attribute. A feature map that is enlarged by two moves by a quarter of a pixel, one that is halved
# by half a pixel, so that boxes and masks shift. onnx.checker and ONNX Runtime have nothing to say; nearest stays as it was, so that the
# usual detectors do not show it. Mend it by coordinate_transformation_mode="asymmetric" on each converted Resize.
#
# Seen with onnx 1.23.2, ONNX Runtime 1.32.0, NumPy 2.4.6, Python 3.11 (the row 0 1 2 3 enlarged by 2, and 0 1 2 3 4 5 6 7 halved):
#   Resize 10: 0 0.5 1 1.5 2 2.5 3 3; converted to 17: 0 0.25 0.75 1.25 1.75 2.25 2.75 3; with the attribute 0 0.5 1 1.5 2 2.5 3 3
#   Upsample 9: 0 0.5 1 1.5 2 2.5 3 3; converted to 17: 0 0.25 0.75 1.25 1.75 2.25 2.75 3; with the attribute 0 0.5 1 1.5 2 2.5 3 3
#   Resize 10: 0 2 4 6; converted to 17: 0.5 2.5 4.5 6.5; with the attribute 0 2 4 6
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter
def run(model, row):
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return ' '.join('%g' % value for value in session.run(None, {'x': row})[0].ravel())
def show(operator, opset, width, scale):
    row = numpy.arange(width, dtype=numpy.float32).reshape(1, 1, 1, width)
    graph = helper.make_graph(
        [helper.make_node(operator, ['x', 'scales'], ['y'], mode='linear')], 'one',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, row.shape)],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, (1, 1, 1, int(width * scale)))],
        [numpy_helper.from_array(numpy.array([1, 1, 1, scale], numpy.float32), 'scales')])
    old = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=5)
    new = version_converter.convert_version(old, 17)
    line = f'{operator} {opset}: {run(old, row)}; converted to 17: {run(new, row)}'
    (resize,) = [node for node in new.graph.node if node.op_type == 'Resize']
    resize.attribute.append(helper.make_attribute('coordinate_transformation_mode', 'asymmetric'))
    print(f'{line}; with the attribute {run(new, row)}')
show('Resize', 10, 4, 2)
show('Upsample', 9, 4, 2)
show('Resize', 10, 8, 0.5)
PY
cat seen
twice='0 0.5 1 1.5 2 2.5 3 3; converted to 17: 0 0.25 0.75 1.25 1.75 2.25 2.75 3; with the attribute 0 0.5 1 1.5 2 2.5 3 3'
[ "$(cat seen)" = "Resize 10: $twice
Upsample 9: $twice
Resize 10: 0 2 4 6; converted to 17: 0.5 2.5 4.5 6.5; with the attribute 0 2 4 6" ] || { echo 'This has changed' >&2; exit 1; }
