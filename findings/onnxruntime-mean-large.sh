#!/usr/bin/env bash
# GlobalAveragePool and ReduceMean of ONNX Runtime on the CPU add float32 one after the other, in a few lanes. A sum beyond 2^24 times
# the step of a value is rounded at each addition, so that the mean of a camera's picture is off by more than the noise that an
# inspection looks for, and can be larger than every pixel. NumPy adds in pairs and is right. A mean in two steps (rows, then
# columns) is right in ONNX Runtime too.
#
# Seen with ONNX Runtime 1.32.0 (x86-64), NumPy 2.4.6, Python 3.11, pixels 254, 255, 255 in turn and 200 everywhere:
#   1200 x 1920 of 254.67: GlobalAveragePool 255.70, ReduceMean 255.39, in two steps 254.67, NumPy 254.67
#   3000 x 4000 of 200.00: GlobalAveragePool 193.79, ReduceMean 195.58, in two steps 200.00, NumPy 200.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
env/bin/python - <<'PY' | tee seen
import numpy, onnxruntime
from onnx import TensorProto, helper

def run(picture, *nodes):
    ins = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, None, None])]
    outs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    axes = [helper.make_tensor("three", TensorProto.INT64, [1], [3]), helper.make_tensor("two", TensorProto.INT64, [1], [2])]
    graph = helper.make_graph(list(nodes), "mean", ins, outs, axes)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": picture})[0].item()

ramp = numpy.full((1, 1, 1200, 1920), 255, numpy.float32)
ramp[..., ::3] = 254
for picture in (ramp, numpy.full((1, 1, 3000, 4000), 200, numpy.float32)):
    print("%d x %d of %.2f: GlobalAveragePool %.2f, ReduceMean %.2f, in two steps %.2f, NumPy %.2f" % (
        *picture.shape[2:],
        picture.mean(dtype=numpy.float64),
        run(picture, helper.make_node("GlobalAveragePool", ["x"], ["y"])),
        run(picture, helper.make_node("ReduceMean", ["x"], ["y"])),
        run(picture, helper.make_node("ReduceMean", ["x", "three"], ["r"]), helper.make_node("ReduceMean", ["r", "two"], ["y"])),
        picture.mean()))
PY
expected='1200 x 1920 of 254.67: GlobalAveragePool 255.70, ReduceMean 255.39, in two steps 254.67, NumPy 254.67
3000 x 4000 of 200.00: GlobalAveragePool 193.79, ReduceMean 195.58, in two steps 200.00, NumPy 200.00'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
