"""Runs one algorithm of the phased generation: `python -m procvision_algorithm_sdk.adapter --entry module:Class`.

As in the published SDKs of this generation: `hello` goes out before the entry point is imported, nothing guards
stdout, an import failure is an `error` with a null request id followed by exit code 0.
"""
import argparse
import importlib
import os

from .. import wire
from ..session import Session

INFO_PHASE = True
HOOKS = ["setup", "teardown", "reset", "on_step_start", "on_step_finish"]


def _error(request_id, code, message):
    wire.write({"type": "error", "request_id": request_id, "timestamp_ms": wire.now_ms(), "status": "ERROR",
                "message": message, "error_code": code})


def _result(request_id, phase, step_index, answer):
    wire.write({"type": "result", "request_id": request_id, "timestamp_ms": wire.now_ms(),
                "status": answer.get("status") or "OK", "message": answer.get("message") or "",
                "data": {"phase": phase, "step_index": step_index, **(answer.get("data") or {})}})


def _quietly(function, *args):
    try:
        function(*args)
    except Exception:
        pass


def _load(entry):
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(module), name)()


def _run_phase(algorithm, phase, data, session):
    """Answer of the algorithm; None where the phase gives no dict that it should have given."""
    step_index = int(data.get("step_index") or 1)
    context = {"pid": data.get("pid") or "", "trace_id": session.context.get("trace_id")}
    if phase == "info" and INFO_PHASE:
        info = algorithm.get_info()
        return {"data": {"info": info}} if isinstance(info, dict) else None
    if phase in HOOKS:
        if phase == "reset":
            algorithm.reset(session)
        elif phase == "on_step_start":
            algorithm.on_step_start(step_index, session, context)
        elif phase == "on_step_finish":
            algorithm.on_step_finish(step_index, session, data.get("user_params") or {})
        else:
            getattr(algorithm, phase)()
        return {}
    method = algorithm.pre_execute if phase == "pre" else algorithm.execute
    answer = method(step_index, data.get("pid") or "", session, data.get("user_params") or {},
                    data.get("shared_mem_id") or "", data.get("image_meta") or {})
    return answer if isinstance(answer, dict) else None


def _call(algorithm, message):
    request_id = message.get("request_id") or ""
    data = message.get("data") or {}
    phase = data.get("phase") or "execute"
    step_index = int(data.get("step_index") or 1)
    about = data.get("session") or {}
    session = Session(about.get("id", "session"), about.get("context") or {})  # a new one for every call
    _quietly(algorithm.on_step_start, step_index, session,
             {"pid": data.get("pid") or "", "trace_id": session.context.get("trace_id")})
    try:
        answer = _run_phase(algorithm, phase, data, session)
    except Exception as failure:
        _error(request_id, "1009", str(failure))
        return
    if answer is None:
        _error(request_id, "1000", "invalid %s return" % phase)
        return
    _result(request_id, phase, 0 if phase == "info" else step_index, answer)
    _quietly(algorithm.on_step_finish, step_index, session, answer)


def main():
    parser = argparse.ArgumentParser(prog="procvision-adapter")
    parser.add_argument("--entry", default=os.environ.get("PROC_ENTRY_POINT"))
    entry = parser.parse_args().entry
    wire.write({"type": "hello", "sdk_version": wire.sdk_version(), "timestamp_ms": wire.now_ms(),
                "capabilities": ["ping", "call", "shutdown", "shared_memory:v1"]
                + (["info"] + HOOKS if INFO_PHASE else [])})
    if not entry:
        _error(None, "1004", "entry_point not found")
        return
    try:
        algorithm = _load(entry)
    except Exception as failure:
        _error(None, "1000", str(failure))
        return
    _quietly(algorithm.setup)
    while True:
        message = wire.read()
        if message is None:
            break
        kind = message.get("type")
        if kind == "ping":
            wire.write({"type": "pong", "request_id": message.get("request_id"), "timestamp_ms": wire.now_ms(),
                        "status": "OK"})
        elif kind == "call":
            _call(algorithm, message)
        elif kind == "shutdown":
            _quietly(algorithm.teardown)
            wire.write({"type": "shutdown", "timestamp_ms": wire.now_ms(), "status": "OK"})
            return
    _quietly(algorithm.teardown)


if __name__ == "__main__":
    main()
