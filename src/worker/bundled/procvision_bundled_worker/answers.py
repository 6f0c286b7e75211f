"""What a call is answered with."""
import time

from . import frames, tracing
from .delivery import report_of
from .wire import now_ms

# The SDK's own exception classes: a subclass is reported under its nearest ancestor among them, because they
# say whether another attempt makes sense.
KINDS = ("RecoverableError", "FatalError", "GPUOutOfMemoryError", "ProgramError")

describe = None  # what the launcher tells of an exception


def answer_to(message, adapter, memory, pictures):
    request_id = message.get("request_id") or ""
    report = frames.begin(message)
    tracing.enter(message)
    started = time.perf_counter_ns()
    try:
        answer, added = adapter.call(message.get("data") or {}, request_id)
        response = result(request_id, answer, added)
    except Exception as fault:
        response = failure(request_id, fault)
    microseconds = (time.perf_counter_ns() - started) // 1000
    fault = pictures.fault
    if fault is not None:
        response, report = error(request_id, fault, "1007"), report_of(fault=fault)
    return with_metrics(response, report, microseconds / 1000, memory, pictures)


def with_metrics(response, report, milliseconds, memory, pictures):
    if report is not None:
        response["pictures"] = report
    response["metrics"] = {"algorithm_ms": milliseconds, "rss_bytes": memory.rss_bytes(),
                           "pictures": pictures.keeper.way}
    return response


def result(request_id, answer, data):
    if not isinstance(answer, dict):
        return error(request_id, "the algorithm gave %s, not a dict" % type(answer).__name__, "1000")
    own = answer.get("data") or {}
    if not isinstance(own, dict):
        return error(request_id, "the algorithm gave %s as data, not a dict" % type(own).__name__, "1000")
    data.update(own)
    response = {"type": "result", "request_id": request_id, "timestamp_ms": now_ms(),
            "status": answer.get("status") or "OK", "message": answer.get("message") or "", "data": data}
    if answer.get("error_code") is not None:
        response["error_code"] = str(answer["error_code"])
    return response


def failure(request_id, fault):
    names = [kind.__name__ for kind in type(fault).__mro__]
    known = next((name for name in names if name in KINDS), names[0])
    code = getattr(fault, "error_code", None)
    text = text_of(fault) or names[0]
    return error(request_id, text, "1009" if code is None else str(code), exception=known, raised=describe(fault))


def frame_of(channel, answer):
    try:
        return channel.frame(answer)
    except Exception as fault:  # a result that is not JSON; nothing of it was sent
        return channel.frame(failure(answer["request_id"], fault))


def error(request_id, text, code, **more):
    return dict({"type": "error", "request_id": request_id, "timestamp_ms": now_ms(), "status": "ERROR",
                 "message": text, "error_code": code}, **more)


def said(fault):
    """Class and text of an exception; the class alone where it has none."""
    text = text_of(fault)
    return "%s: %s" % (type(fault).__name__, text) if text else type(fault).__name__


def text_of(fault):
    """None of a MemoryError, and of an exception whose own text raises."""
    try:
        return str(fault)
    except Exception:
        return ""
