#!/usr/bin/env bash
# OpenVINO (CPU) loads an ONNX model with a Resize that asks for antialias=1 and resizes without it, without an error or a warning. Where a large
# picture is made small inside the model, as that attribute is for, only one or two pixels of each eight are looked at then: a scratch of one
# pixel is in the small picture with four times its share or not at all, by the row where it lies. ONNX Runtime and the reference of ONNX
# take all pixels, so a score that was measured with them does not hold in OpenVINO. Make the picture small before the model (cv2.resize
# with INTER_AREA), or put an AveragePool in front.
#
# Seen with openvino 2026.4.1, ONNX Runtime 1.32.0, onnx 1.23.2, NumPy 2.4.6, Python 3.11 (64 x 8 pixels of 0, one row of 255, to 8 x 1; the
# largest of the eight results):
#   linear, antialias=1: row 32 ONNX Runtime 18, reference 18, OpenVINO 0; row 35 ONNX Runtime 30, reference 30, OpenVINO 128
#   linear, antialias=0: row 32 ONNX Runtime 0, reference 0, OpenVINO 0; row 35 ONNX Runtime 128, reference 128, OpenVINO 128
#   cubic, antialias=1: row 32 ONNX Runtime 21, reference 21, OpenVINO 0; row 35 ONNX Runtime 32, reference 32, OpenVINO 151
#   cubic, antialias=0: row 32 ONNX Runtime 0, reference 0, OpenVINO 0; row 35 ONNX Runtime 151, reference 151, OpenVINO 151
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy, onnxruntime, openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

core = openvino.Core()
for mode in ('linear', 'cubic'):
    for antialias in (1, 0):
        graph = helper.make_graph(
            [helper.make_node('Resize', ['x', '', '', 'sizes'], ['y'], mode=mode, antialias=antialias)], 'small',
            [helper.make_tensor_value_info('x', TensorProto.FLOAT, (1, 1, 64, 8))],
            [helper.make_tensor_value_info('y', TensorProto.FLOAT, (1, 1, 8, 1))],
            [helper.make_tensor('sizes', TensorProto.INT64, [4], [1, 1, 8, 1])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
        compiled = core.compile_model(core.read_model(model.SerializeToString()), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
        reference = ReferenceEvaluator(model)
        line = []
        for row in (32, 35):
            picture = numpy.zeros((1, 1, 64, 8), numpy.float32)
            picture[0, 0, row] = 255
            results = session.run(None, {'x': picture})[0], reference.run(None, {'x': picture})[0], compiled([picture])[0]
            line.append('row %d ONNX Runtime %.0f, reference %.0f, OpenVINO %.0f' % (row, *(result.max() for result in results)))
        print('%s, antialias=%d: %s' % (mode, antialias, '; '.join(line)))
PY
cat seen
[ "$(cat seen)" = 'linear, antialias=1: row 32 ONNX Runtime 18, reference 18, OpenVINO 0; row 35 ONNX Runtime 30, reference 30, OpenVINO 128
linear, antialias=0: row 32 ONNX Runtime 0, reference 0, OpenVINO 0; row 35 ONNX Runtime 128, reference 128, OpenVINO 128
cubic, antialias=1: row 32 ONNX Runtime 21, reference 21, OpenVINO 0; row 35 ONNX Runtime 32, reference 32, OpenVINO 151
cubic, antialias=0: row 32 ONNX Runtime 0, reference 0, OpenVINO 0; row 35 ONNX Runtime 151, reference 151, OpenVINO 151' ] || { echo 'This has changed' >&2; exit 1; }
