"""Logs as one JSON object a line on stderr."""
import json
import sys
import time


class StructuredLogger:
    def __init__(self, sink=None):
        self.sink = sink or sys.stderr

    def _emit(self, level, message, fields):
        record = {"level": level, "timestamp_ms": int(time.time() * 1000), "message": message}
        record.update(fields)
        self.sink.write(json.dumps(record, ensure_ascii=False) + "\n")
        self.sink.flush()

    def debug(self, message, **fields):
        self._emit("debug", message, fields)

    def info(self, message, **fields):
        self._emit("info", message, fields)

    def error(self, message, **fields):
        self._emit("error", message, fields)
