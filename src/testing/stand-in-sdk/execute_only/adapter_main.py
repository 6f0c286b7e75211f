"""Runs one algorithm of the execute-only generation: `python -m procvision_algorithm_sdk.adapter --entry module:Class`.

As in the published SDKs of this generation: the protocol keeps a duplicate of stdout for itself and what the
algorithm prints goes to stderr; `hello` goes out before the entry point is imported; both images are required.
"""
import argparse
import importlib
import os

from .. import wire
from ..shared_memory import read_image_from_shared_memory


def _error(out, request_id, code, message):
    wire.write({"type": "error", "request_id": request_id, "timestamp_ms": wire.now_ms(), "status": "ERROR",
                "message": message, "error_code": code}, out)


def _call(algorithm, message, out):
    request_id = message.get("request_id") or ""
    data = message.get("data") or {}
    step_index = int(data.get("step_index") or 1)
    if not data.get("cur_image_shm_id") or not data.get("guide_image_shm_id"):
        _error(out, request_id, "1000", "missing cur_image_shm_id/guide_image_shm_id")
        return
    try:
        current = read_image_from_shared_memory(data["cur_image_shm_id"], data.get("cur_image_meta") or {})
        guide = read_image_from_shared_memory(data["guide_image_shm_id"], data.get("guide_image_meta") or {})
        answer = algorithm.execute(step_index, data.get("step_desc") or "", current, guide,
                                   data.get("guide_info") or [])
        if not isinstance(answer, dict):
            _error(out, request_id, "1000", "invalid execute return")
            return
        wire.write({"type": "result", "request_id": request_id, "timestamp_ms": wire.now_ms(),
                    "status": answer.get("status") or "OK", "message": answer.get("message") or "",
                    "data": {"step_index": step_index, **(answer.get("data") or {})}}, out)
    except Exception as failure:
        _error(out, request_id, "1009", str(failure))


def main():
    parser = argparse.ArgumentParser(prog="procvision-adapter")
    parser.add_argument("--entry", default=os.environ.get("PROC_ENTRY_POINT"))
    entry = parser.parse_args().entry
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    wire.write({"type": "hello", "sdk_version": wire.sdk_version(), "timestamp_ms": wire.now_ms(),
                "capabilities": ["ping", "call", "shutdown", "shared_memory:v1", "execute"]}, out)
    if not entry:
        _error(out, None, "1004", "entry_point not found")
        return
    try:
        module, _, name = entry.partition(":")
        algorithm = getattr(importlib.import_module(module), name)()
    except Exception as failure:
        _error(out, None, "1000", str(failure))
        return
    while True:
        message = wire.read()
        if message is None:
            return
        kind = message.get("type")
        if kind == "ping":
            wire.write({"type": "pong", "request_id": message.get("request_id"), "timestamp_ms": wire.now_ms(),
                        "status": "OK"}, out)
        elif kind == "call":
            _call(algorithm, message, out)
        elif kind == "shutdown":
            wire.write({"type": "shutdown", "timestamp_ms": wire.now_ms(), "status": "OK"}, out)
            return


if __name__ == "__main__":
    main()
