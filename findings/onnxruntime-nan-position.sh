#!/usr/bin/env bash
# Whether a NaN among the values (a dead pixel after a division, an overflow of float16) reaches the result depends on where it
# stands in ONNX Runtime on the CPU: ReduceMax and ReduceMin give NaN where it comes first and overlook it elsewhere, MaxPool of
# three overlooks it everywhere, ArgMax and ArgMin take it for the winner where it comes first; TopK always puts it on top, and Max and Min
# of two inputs always give it. max, min, argmax and argmin of NumPy always give NaN or its place.
#
# Seen with ONNX Runtime 1.32.0 (x86-64), NumPy 2.4.6, Python 3.11 (NaN first, second, third among 1, 2, 3):
#   ReduceMax nan 3.0 2.0; ReduceMin nan 1.0 1.0; ArgMax 0 2 1; ArgMin 0 0 0; MaxPool 3.0 3.0 2.0; TopK nan nan nan
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
env/bin/python - <<'PY' | tee seen
import numpy, onnxruntime
from onnx import TensorProto, helper

ROWS = numpy.array([[numpy.nan, 2, 3], [1, numpy.nan, 3], [1, 2, numpy.nan]], numpy.float32)

def run(operator, kind=TensorProto.FLOAT, shape=(1, 3), **attributes):
    ins = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outs = [helper.make_tensor_value_info("y", kind, None)]
    more = ["one"] if operator == "TopK" else []
    node = helper.make_node(operator, ["x", *more], ["y", *(["at"] if more else [])], **attributes)
    graph = helper.make_graph([node], "nan", ins, outs, [helper.make_tensor("one", TensorProto.INT64, [1], [1])] if more else [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return operator + " " + " ".join(str(session.run(None, {"x": row.reshape(shape)})[0].item()) for row in ROWS)

INDEX = TensorProto.INT64
print("; ".join([
    run("ReduceMax"),
    run("ReduceMin"),
    run("ArgMax", INDEX, axis=1),
    run("ArgMin", INDEX, axis=1),
    run("MaxPool", shape=(1, 1, 1, 3), kernel_shape=[1, 3]),
    run("TopK", axis=1),
]))
PY
expected='ReduceMax nan 3.0 2.0; ReduceMin nan 1.0 1.0; ArgMax 0 2 1; ArgMin 0 0 0; MaxPool 3.0 3.0 2.0; TopK nan nan nan'
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
