#!/usr/bin/env bash
# NonMaxSuppression of one ONNX model keeps other boxes in OpenVINO (CPU) than in ONNX Runtime where an overlap is equal to iou_threshold:
# ONNX suppresses what overlaps by more than the threshold, OpenVINO what overlaps by as much too. With a threshold of 0, ONNX's default, the
# overlap of boxes that do not touch at all is equal to it, so that OpenVINO gives one box per class for the whole picture: of many
# defects the best one is left. Boxes on a grid of pixels have overlaps such as exactly 0.5, and differ too. There is no error. Take a
# threshold that no overlap can be equal to, such as 0.0001 or 0.4999.
#
# Seen with openvino 2026.4.1, ONNX Runtime 1.32.0, onnx 1.23.2, NumPy 2.4.6, Python 3.11 (x86-64):
#   four boxes apart, no threshold: kept by ONNX Runtime 0 1 2 3, OpenVINO 0
#   four boxes apart, 0: kept by ONNX Runtime 0 1 2 3, OpenVINO 0
#   four boxes apart, 0.0001: kept by ONNX Runtime 0 1 2 3, OpenVINO 0 1 2 3
#   a box and its halves, 0.5: kept by ONNX Runtime 0 1 2, OpenVINO 0
#   a box and its halves, 0.4999: kept by ONNX Runtime 0, OpenVINO 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy, onnxruntime, openvino
from onnx import TensorProto, helper

core = openvino.Core()

def kept(boxes, threshold):
    values = {'boxes': numpy.array([boxes], numpy.float32), 'scores': numpy.array([[[0.9 - 0.1 * place for place in range(len(boxes))]]], numpy.float32)}
    constants = [helper.make_tensor('most', TensorProto.INT64, [1], [100])]
    names = ['boxes', 'scores', 'most']
    if threshold is not None:
        constants.append(helper.make_tensor('threshold', TensorProto.FLOAT, [1], [threshold]))
        names.append('threshold')
    graph = helper.make_graph(
        [helper.make_node('NonMaxSuppression', names, ['y'])], 'boxes',
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in values.items()],
        [helper.make_tensor_value_info('y', TensorProto.INT64, None)], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9).SerializeToString()
    first = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider']).run(None, values)[0]
    second = core.compile_model(core.read_model(model), 'CPU')(values)[0]
    return 'ONNX Runtime %s, OpenVINO %s' % tuple(' '.join('%d' % row[2] for row in rows if row[0] == 0) for rows in (first, second))

APART = [[0, 0, 10, 10], [0, 20, 10, 30], [40, 0, 50, 10], [40, 40, 50, 50]]
HALVES = [[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 5, 10]]
print('four boxes apart, no threshold: kept by', kept(APART, None))
print('four boxes apart, 0: kept by', kept(APART, 0))
print('four boxes apart, 0.0001: kept by', kept(APART, 0.0001))
print('a box and its halves, 0.5: kept by', kept(HALVES, 0.5))
print('a box and its halves, 0.4999: kept by', kept(HALVES, 0.4999))
PY
cat seen
[ "$(cat seen)" = 'four boxes apart, no threshold: kept by ONNX Runtime 0 1 2 3, OpenVINO 0
four boxes apart, 0: kept by ONNX Runtime 0 1 2 3, OpenVINO 0
four boxes apart, 0.0001: kept by ONNX Runtime 0 1 2 3, OpenVINO 0 1 2 3
a box and its halves, 0.5: kept by ONNX Runtime 0 1 2, OpenVINO 0
a box and its halves, 0.4999: kept by ONNX Runtime 0, OpenVINO 0' ] || { echo 'This has changed' >&2; exit 1; }
