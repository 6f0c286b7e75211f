#!/usr/bin/env bash
# procvision-algorithm-sdk 0.0.7 (PyPI): a call for step 0 reaches the algorithm as step 1.
#
# The scaffold that this SDK writes counts its steps from 0, and the adapter takes `data["step_index"] or 1`: 0 is false in
# Python. A package with the steps 0 and 1 is asked for step 1 twice, and answers OK both times. A step index that is sent
# as the text "0" arrives as it is.
#
# Seen with CPython 3.11.7:
#   sent 0 -> the algorithm was given 1
#   sent "0" -> the algorithm was given 0
#   sent 2 -> the algorithm was given 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python=${PYTHON:-python3}
"$python" -m venv env && env/bin/pip install --quiet procvision-algorithm-sdk==0.0.7
cat > algorithm.py <<'PY'
from procvision_algorithm_sdk import BaseAlgorithm
class Algorithm(BaseAlgorithm):
    def get_info(self):
        return {"name": "steps", "version": "1.0.0", "supported_pids": ["A"], "steps": []}
    def pre_execute(self, step_index, *rest):
        return {"status": "OK", "message": "", "data": {}}
    def execute(self, step_index, *rest):
        return {"status": "OK", "message": "", "data": {"result_status": "OK", "defect_rects": [], "debug": {"step": step_index}}}
PY
cat > drive.py <<'PY'
import json, os, subprocess, sys
worker = subprocess.Popen([sys.executable, "-m", "procvision_algorithm_sdk.adapter", "--entry", "algorithm:Algorithm"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=dict(os.environ, PROC_SHM_DIR=os.getcwd(), PROC_ALGO_ROOT=os.getcwd()))
def send(message):
    body = json.dumps(message).encode()
    worker.stdin.write(len(body).to_bytes(4, "big") + body)
    worker.stdin.flush()
def receive():
    return json.loads(worker.stdout.read(int.from_bytes(worker.stdout.read(4), "big")))
receive()
send({"type": "hello", "runner_version": "1"})
got = []
for step in (0, "0", 2):
    send({"type": "call", "request_id": "r", "data": {"phase": "execute", "step_index": step, "pid": "A",
          "session": {"id": "s", "context": {}}, "user_params": {}, "shared_mem_id": "none",
          "image_meta": {"width": 8, "height": 8, "timestamp_ms": 1, "camera_id": "c"}}})
    answer = receive()
    while answer.get("type") != "result":
        answer = receive()
    got.append(answer["data"]["debug"]["step"])
    print("sent %s -> the algorithm was given %s" % (json.dumps(step), got[-1]))
worker.stdin.close()
worker.wait(10)
sys.exit(0 if [str(step) for step in got] == ["1", "0", "2"] else "This has changed")
PY
env/bin/python drive.py
