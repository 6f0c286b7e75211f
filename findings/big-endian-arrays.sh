#!/usr/bin/env bash
# Pillow reads a 16-bit TIFF of big-endian bytes (some cameras and microscopes write them) into a NumPy array of the type >u2, for
# which NumPy counts right. OpenCV and ONNX Runtime look at the kind and the size of the type, not at its order of bytes: they take
# the bytes as little-endian, without an error. `array.astype(array.dtype.newbyteorder('='))` mends it; tifffile gives native order.
#
# Seen with Pillow 13.0.0, opencv-python-headless 5.0.0.93 (4.14.0.94 the same), ONNX Runtime 1.32.0, NumPy 2.4.6, Python 3.11:
#   a picture of 258 by Pillow: >u2, NumPy's mean 258, OpenCV's 513, ONNX Runtime's 513
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
env/bin/python - <<'PY' | tee seen
import io
import cv2, numpy, onnxruntime
from onnx import TensorProto, helper
from PIL import Image

file = io.BytesIO()
Image.fromarray(numpy.full((2, 2), 258, ">u2")).save(file, "TIFF")
assert file.getvalue()[:2] == b"MM"
picture = numpy.asarray(Image.open(file))
nodes = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), helper.make_node("ReduceMean", ["f"], ["y"])]
ins = [helper.make_tensor_value_info("x", TensorProto.UINT16, [None, None])]
outs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
graph = helper.make_graph(nodes, "mean", ins, outs)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
mean = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": picture})[0].item()
print("a picture of 258 by Pillow: %s, NumPy's mean %d, OpenCV's %d, ONNX Runtime's %d" % (
    picture.dtype, picture.mean(), cv2.mean(picture)[0], mean))
PY
expected="a picture of 258 by Pillow: >u2, NumPy's mean 258, OpenCV's 513, ONNX Runtime's 513"
[ "$(cat seen)" = "$expected" ] || { echo 'changed' >&2; exit 1; }
