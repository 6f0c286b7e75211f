#!/usr/bin/env bash
# The Reduce operators of ONNX Runtime on the CPU compute integers in float64 and put the result back. Of int64 everything above 2^53 loses
# its last digits: the sum of one time in nanoseconds is another time. Of int32 a sum that is too large stays at 2147483647, where Add of
# the same model, NumPy and the reference implementation of ONNX start again at the other end; a mean of int32 is right where the reference
# one, which sums in int32, is negative. ReduceMax and ReduceMin are exact. Use Add for such sums, or keep numbers below 2^53.
#
# Seen with ONNX Runtime 1.32.0 (x86-64), onnx 1.23.2, NumPy 2.4.6, Python 3.11:
#   ReduceSum int64 of 1796015145339000001: ONNX Runtime 1796015145339000064, reference 1796015145339000001
#   ReduceSum int64 of 9007199254740993 and 2: ONNX Runtime 9007199254740994, reference 9007199254740995
#   ReduceMax int64 of 9007199254740993 and 2: ONNX Runtime 9007199254740993, reference 9007199254740993
#   ReduceSum int32 of 2147483647 and 1: ONNX Runtime 2147483647, reference -2147483648
#   ReduceMean int32 of 2000000000 and 2000000000: ONNX Runtime 2000000000, reference -147483648
#   Add int32 of 2147483647 and 1: ONNX Runtime -2147483648
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
env/bin/python - > seen <<'PY'
import numpy
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
def model(op, kind, shapes):
    names = ['x', 'z'][: len(shapes)]
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name, shape in zip(names, shapes)]
    graph = helper.make_graph([helper.make_node(op, names, ['y'])], 'g', inputs, [helper.make_tensor_value_info('y', kind, None)])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)])
    made.ir_version = 10
    return made
def session(made):
    return onnxruntime.InferenceSession(made.SerializeToString(), providers=['CPUExecutionProvider'])
for op, kind, values in (('ReduceSum', numpy.int64, [1796015145339000001]), ('ReduceSum', numpy.int64, [2**53 + 1, 2]),
                         ('ReduceMax', numpy.int64, [2**53 + 1, 2]), ('ReduceSum', numpy.int32, [2**31 - 1, 1]),
                         ('ReduceMean', numpy.int32, [2 * 10**9, 2 * 10**9])):
    made = model(op, helper.np_dtype_to_tensor_dtype(numpy.dtype(kind)), [(len(values),)])
    fed = {'x': numpy.array(values, kind)}
    ours, reference = session(made).run(None, fed)[0], ReferenceEvaluator(made).run(None, fed)[0]
    print('%s %s of %s: ONNX Runtime %d, reference %d' % (op, kind.__name__, ' and '.join(map(str, values)), ours.item(), reference.item()))
added = session(model('Add', TensorProto.INT32, [(1,), (1,)])).run(None, {'x': numpy.int32([2**31 - 1]), 'z': numpy.int32([1])})
print('Add int32 of 2147483647 and 1: ONNX Runtime %d' % added[0].item())
PY
cat seen
[ "$(cat seen)" = 'ReduceSum int64 of 1796015145339000001: ONNX Runtime 1796015145339000064, reference 1796015145339000001
ReduceSum int64 of 9007199254740993 and 2: ONNX Runtime 9007199254740994, reference 9007199254740995
ReduceMax int64 of 9007199254740993 and 2: ONNX Runtime 9007199254740993, reference 9007199254740993
ReduceSum int32 of 2147483647 and 1: ONNX Runtime 2147483647, reference -2147483648
ReduceMean int32 of 2000000000 and 2000000000: ONNX Runtime 2000000000, reference -147483648
Add int32 of 2147483647 and 1: ONNX Runtime -2147483648' ] || { echo 'This has changed' >&2; exit 1; }
