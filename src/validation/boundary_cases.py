"""The boundary cases of the specification that one loaded algorithm can be shown, after the calls of its trial.

Numbers are those of its table (0.2.1, sections 3.7.1, 3.8.6, 3.9 and 4.3). An algorithm must answer each call, with ERROR or
with a verdict that keeps to the contract: an exception there stops a line. Each row goes to the findings at once, a line before
each call says what it is: if the process ends, the last of these lines names the case.
"""
import os
import sys
import time

# Between two counts of the open files: more than an interpreter opens by itself at a first call.
LEAK_CALLS = 10
MOST_RECTS = 20
UNKNOWN_PRODUCT = "BOUNDARY-CASE-UNKNOWN"
VERDICT_ROWS = (23, 24, 25, 26)


class OutOfTime(Exception):
    """The time of one step is used up."""


def rect_outside(rect, width, height):
    """Whether a rect of an answer reaches out of the picture; what is no rect at all is another fault."""
    sides = [rect.get(side) for side in ("x", "y", "width", "height")] if isinstance(rect, dict) else []
    if len(sides) != 4 or not all(isinstance(side, (int, float)) for side in sides):
        return False
    x, y, wide, high = sides
    return x < 0 or y < 0 or x + wide > width or y + high > height


class Cases:
    """Runs the cases in their order, and tells what came of each."""

    def __init__(self, trial, order, report, clock, raised):
        self._trial, self._report, self._clock, self._raised = trial, report, clock, raised
        self._phased = order["generation"] == "phased"
        self._pids = order["manifest"].get("supported_pids") or []
        self._seconds = order["step_seconds"]
        self._until = time.monotonic() + self._seconds
        self._verdicts, self._of_verdicts = 0, {}

    def run(self):
        rows = [(2, self._meta), (3, self._sizes), (5, self._black), (6, self._left_out), (10, self._product),
                (11, self._products), (15, self._leaks)]
        for number, row in rows:
            try:
                row(number)
            except OutOfTime:
                self._tell(number, "SKIP", "the calls before it took %g s, the timeoutMs of the validator" % self._seconds)
        for number in VERDICT_ROWS:
            if number in self._of_verdicts:
                self._tell(number, "FAIL", self._of_verdicts[number])
            elif self._verdicts:
                self._tell(number, "PASS", "%d verdicts keep to it" % self._verdicts)
            else:
                self._tell(number, "SKIP", "no case was answered with a verdict")

    def _tell(self, number, result, message):
        self._report.line(case=number, result=result, message=message[-2000:])

    def _call(self, number, what, **kind):
        """What came of one call: its status or verdict, and whether it is an answer."""
        if time.monotonic() > self._until:
            raise OutOfTime()
        methods = ("pre_execute", "execute") if self._phased else ("execute",)
        answer = None
        for method in methods:
            self._report.line(case=number, begun=what)
            self._clock.case(number, what)
            try:
                answer = self._trial.phased(method, **kind) if self._phased else self._trial.execute_only(**kind)
            except BaseException:
                return "%s raised %s" % (what, self._raised()), False
            finally:
                self._clock.stop()
            if not isinstance(answer, dict) or answer.get("status") not in ("OK", "ERROR"):
                self._of_verdicts.setdefault(25, "%s is answered by %s() without a status OK or ERROR" % (what, method))
                return "%s has no answer of %s()" % (what, method), False
            if answer["status"] == "ERROR":
                return "ERROR", True
        return self._verdict(what, answer.get("data"), kind.get("size")), True

    def _verdict(self, what, data, size):
        """Holds a verdict against the contract; gives it."""
        data = data if isinstance(data, dict) else {}
        verdict, rects = data.get("result_status"), data.get("defect_rects")
        width, height = size or (None, None)
        self._verdicts += 1
        faults = {}
        if verdict not in ("OK", "NG"):
            faults[26] = "result_status is %r" % (verdict,)
        if verdict == "NG" and not (isinstance(data.get("ng_reason"), str) and data["ng_reason"]):
            faults[25] = "NG has no ng_reason"
        if isinstance(rects, list):
            if len(rects) > MOST_RECTS:
                faults[23] = "there are %d defect_rects, more than %d" % (len(rects), MOST_RECTS)
            outside = [rect for rect in rects if rect_outside(rect, width or self._trial.width, height or self._trial.height)]
            if outside:
                faults[24] = "the rect %.200r reaches out of the picture" % (outside[0],)
        elif verdict == "NG":
            faults[25] = "NG has no list defect_rects"
        for number, fault in faults.items():
            self._of_verdicts.setdefault(number, "%s: %s" % (what, fault))
        return verdict if verdict in ("OK", "NG") else "no verdict"

    def _each(self, number, calls):
        """A row of several calls: each must be answered."""
        outcomes = []
        for what, kind in calls:
            said, answered = self._call(number, what, **kind)
            if not answered:
                return self._tell(number, "FAIL", said + ". Answer with the status ERROR and a message instead")
            outcomes.append("%s: %s" % (what, said))
        return self._tell(number, "PASS", "; ".join(outcomes))

    def _meta(self, number):
        if not self._phased:
            return self._tell(number, "SKIP", "the execute-only generation gets no image_meta")
        return self._each(number, [("a picture without " + field, {"leave_out": field})
                                   for field in ("camera_id", "timestamp_ms")])

    def _sizes(self, number):
        return self._each(number, [("a picture of %d x %d" % size, {"size": size})
                                   for size in ((1, 1), (4096, 2), (2, 4096))])

    def _black(self, number):
        return self._each(number, [("a black picture", {"black": True})])

    def _left_out(self, number):
        if self._trial.has_optional():
            return self._tell(number, "PASS", "the second call of the trial had the required parameters alone")
        return self._tell(number, "SKIP", "the step has no optional parameters")

    def _product(self, number):
        if not self._phased or not self._pids:
            return self._tell(number, "SKIP", "the package names no product ids")
        return self._each(number, [("a product id that is not supported", {"pid": UNKNOWN_PRODUCT})])

    def _products(self, number):
        """What an algorithm loads for each product id must be in the package."""
        if not self._phased or len(self._pids) < 2:
            return self._tell(number, "SKIP", "the package has no second product id")
        ordinary, _ = self._call(number, "product id %s" % self._pids[0])
        for pid in self._pids[1:]:
            what = "product id %s" % pid
            said, answered = self._call(number, what, pid=pid)
            if not answered or (said == "ERROR" and ordinary != "ERROR"):
                why = said if not answered else "%s is answered with ERROR, and %s is not" % (what, self._pids[0])
                return self._tell(number, "FAIL", why + ". Put its assets into the package, or take it out of supported_pids")
        return self._tell(number, "PASS", "%d product ids are answered" % len(self._pids))

    def _leaks(self, number):
        try:
            before = len(os.listdir("/proc/self/fd"))
        except OSError:
            return self._tell(number, "SKIP", "%s does not tell the open files of a process" % sys.platform)
        for _ in range(LEAK_CALLS):
            self._call(number, "one of %d equal calls" % LEAK_CALLS)
        grown = len(os.listdir("/proc/self/fd")) - before
        if grown >= LEAK_CALLS:
            return self._tell(number, "FAIL", "%d calls left %d files open: close what a call opens (with open(…) as file)"
                              % (LEAK_CALLS, grown))
        return self._tell(number, "PASS", "%d calls left no file open" % LEAK_CALLS)


def run_cases(trial, order, report, clock, raised):
    Cases(trial, order, report, clock, raised).run()
