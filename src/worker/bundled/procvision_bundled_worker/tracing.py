"""The trace that a call belongs to: its field `traceparent`, as W3C Trace Context writes it."""
import os

VARIABLE = "PROC_TRACEPARENT"


def enter(message):
    """Before a call: the algorithm and the programs that it starts find the trace in the environment, and never that of an
    earlier call."""
    traceparent = message.get("traceparent")
    if isinstance(traceparent, str):
        os.environ[VARIABLE] = traceparent
    elif VARIABLE in os.environ:
        del os.environ[VARIABLE]
    return traceparent
