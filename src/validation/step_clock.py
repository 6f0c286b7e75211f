"""Ends a trial run whose step takes too long."""
import os
import sys
import threading
import traceback

LOADING = ("entry_import", "setup")


class Clock:
    """Ends the process when a step takes too long, and says where it stood."""

    def __init__(self, report, order):
        self._report, self._timer = report, None
        self._load_seconds, self._seconds = order["load_seconds"], order["step_seconds"]

    def step(self, name):
        seconds = self._load_seconds if name in LOADING else self._seconds
        self._start(seconds, self._end, name, seconds)

    def case(self, number, what):
        """One call of a boundary case, whose end is a fault of that case alone."""
        self._start(self._seconds, self._end_case, number, what)

    def _start(self, seconds, end, *words):
        self.stop()
        self._timer = threading.Timer(seconds, end, words)
        self._timer.daemon = True
        self._timer.start()

    def stop(self):
        if self._timer:
            self._timer.cancel()

    def _end_case(self, number, what):
        self._report.line(case=number, result="FAIL", message="%s took longer than %g s, the timeoutMs of the validator"
                          % (what, self._seconds))
        os._exit(3)

    def _end(self, name, seconds):
        frame = sys._current_frames().get(threading.main_thread().ident)
        where = "".join(traceback.format_stack(frame)) if frame else ""
        option = "loadTimeoutMs" if name in LOADING else "timeoutMs"
        self._report.check(name, "FAIL", "took longer than %g s, the %s of the validator" % (seconds, option),
                           traceback=where)
        os._exit(3)
