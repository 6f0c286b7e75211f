#!/usr/bin/env bash
# RoiAlign with mode="max" (the largest value of a box, for detectors with a second stage) does not give a value of the picture in ONNX
# Runtime on the CPU. It takes the largest of the four products of a neighbour and its weight, where it should add the four and
# take the largest of the sums: in a picture that is 100 everywhere the result is between 25 and 100, by where the box lies between the
# pixels, so a score falls by up to three quarters when a part moves by half a pixel. For more than one sample per cell it warns in its log (the
# warning names release 1.13 as the end of it); for one sample, of which the warning says that it is right, it is as wrong, without a
# warning. mode="avg" is right, OpenVINO is right in both. Take avg, or enlarge the box and pool with MaxPool.
#
# Seen with ONNX Runtime 1.32.0, openvino 2026.4.1, onnx 1.23.2, NumPy 2.4.6, Python 3.11 (8 x 8 pixels of 100, a box of 2 x 2 to one cell, and
# the place of its corner):
#   max of 1: 2.5: ONNX Runtime 100, OpenVINO 100; 2.75: ONNX Runtime 56.25, OpenVINO 100; 3: ONNX Runtime 25, OpenVINO 100
#   avg of 1: 2.5: ONNX Runtime 100, OpenVINO 100; 2.75: ONNX Runtime 100, OpenVINO 100; 3: ONNX Runtime 100, OpenVINO 100
#   max of 4: 2.5: ONNX Runtime 25, OpenVINO 100; 2.75: ONNX Runtime 56.25, OpenVINO 100; 3: ONNX Runtime 100, OpenVINO 100
#   avg of 4: 2.5: ONNX Runtime 100, OpenVINO 100; 2.75: ONNX Runtime 100, OpenVINO 100; 3: ONNX Runtime 100, OpenVINO 100
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy, onnxruntime, openvino
from onnx import TensorProto, helper

onnxruntime.set_default_logger_severity(3)
core = openvino.Core()
picture = numpy.full((1, 1, 8, 8), 100, numpy.float32)
for samples in (1, 2):
    for mode in ('max', 'avg'):
        graph = helper.make_graph(
            [helper.make_node('RoiAlign', ['x', 'box', 'picture'], ['y'], mode=mode, output_height=1, output_width=1, sampling_ratio=samples)], 'cell',
            [helper.make_tensor_value_info('x', TensorProto.FLOAT, (1, 1, 8, 8)), helper.make_tensor_value_info('box', TensorProto.FLOAT, (1, 4))],
            [helper.make_tensor_value_info('y', TensorProto.FLOAT, (1, 1, 1, 1))],
            [helper.make_tensor('picture', TensorProto.INT64, [1], [0])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9).SerializeToString()
        session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
        compiled = core.compile_model(core.read_model(model), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
        line = []
        for corner in (2.5, 2.75, 3.0):
            values = {'x': picture, 'box': numpy.array([[corner, corner, corner + 2, corner + 2]], numpy.float32)}
            line.append('%g: ONNX Runtime %g, OpenVINO %g' % (corner, session.run(None, values)[0].item(), compiled(values)[0].item()))
        print('%s of %d: %s' % (mode, samples * samples, '; '.join(line)))
PY
cat seen
[ "$(cat seen)" = 'max of 1: 2.5: ONNX Runtime 100, OpenVINO 100; 2.75: ONNX Runtime 56.25, OpenVINO 100; 3: ONNX Runtime 25, OpenVINO 100
avg of 1: 2.5: ONNX Runtime 100, OpenVINO 100; 2.75: ONNX Runtime 100, OpenVINO 100; 3: ONNX Runtime 100, OpenVINO 100
max of 4: 2.5: ONNX Runtime 25, OpenVINO 100; 2.75: ONNX Runtime 56.25, OpenVINO 100; 3: ONNX Runtime 100, OpenVINO 100
avg of 4: 2.5: ONNX Runtime 100, OpenVINO 100; 2.75: ONNX Runtime 100, OpenVINO 100; 3: ONNX Runtime 100, OpenVINO 100' ] || { echo 'This has changed' >&2; exit 1; }
