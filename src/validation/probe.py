"""Loads an algorithm as its worker would and tries it out, one step after the other.

    python -S probe.py <bounds> <order.json>

The bounds are for contain.py, or null where the system has none of them; they are in force before anything of the
package's environment is in reach.

The order: {"task": "smoke" | "info", "entry_point", "generation", "manifest", "root", "out", "load_seconds",
"step_seconds"}. What is found goes to the file `out` as one JSON object a line: {"check", "result", "message",
"duration_ms"[, "traceback"]}, {"info"}, {"modules"}, at last {"done": true}. stdout and stderr are the algorithm's own.
"""
import json
import os
import sys
import threading
import time
import traceback

MOST_RECTS = 20
MOST_TEXT_CHARACTERS = 16384
MOST_INFO_CHARACTERS = 1 << 20
WIDTH, HEIGHT = 64, 48


def clip(text):
    """A message or a traceback with its end, where the cause is, if it is longer than anybody reads."""
    return text if len(text) <= MOST_TEXT_CHARACTERS else "…" + text[-MOST_TEXT_CHARACTERS:]


class Report:
    """Writes each finding at once: what was found before a crash is kept."""

    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8")
        self.started = time.perf_counter()

    def line(self, **fields):
        # ASCII: a string of Python may hold halves of characters, which no encoding has.
        self._file.write(json.dumps(fields) + "\n")
        self._file.flush()

    def check(self, name, result, message="", **more):
        took = (time.perf_counter() - self.started) * 1000
        self.started = time.perf_counter()
        more = {key: clip(value) for key, value in more.items()}
        self.line(check=name, result=result, message=clip(message), duration_ms=took, **more)
        return result == "PASS"

    def info(self, info):
        """Tells what get_info() gave; why that cannot be done, if it cannot."""
        try:
            text = json.dumps(info, default=str, allow_nan=False)
        except (ValueError, TypeError, RecursionError) as error:
            return "get_info() gave what is no JSON: %s" % error
        if len(text) > MOST_INFO_CHARACTERS:
            return "get_info() gave %d characters of JSON, more than %d" % (len(text), MOST_INFO_CHARACTERS)
        self._file.write('{"info": %s}\n' % text)
        self._file.flush()
        return None

    def judge(self, name, good, why):
        return self.check(name, "PASS" if good else "FAIL", "" if good else why)


def deny_network():
    """No internet sockets from Python, wherever it runs; on Linux there is mostly no network either, see namespaces.py."""

    def refuse(event, args):
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
            if "INET" in str(getattr(args[0], "family", "")):
                raise PermissionError("the network is denied while a package is checked (%s)" % event)
        elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
            raise PermissionError("the network is denied while a package is checked (%s)" % event)

    sys.addaudithook(refuse)


class Clock:
    """Ends the process when a step takes too long, and says where it stood."""

    def __init__(self, report, order):
        self._report, self._timer = report, None
        self._load_seconds, self._seconds = order["load_seconds"], order["step_seconds"]

    def step(self, name):
        self.stop()
        seconds = self._load_seconds if name == "entry_import" else self._seconds
        self._timer = threading.Timer(seconds, self._end, [name, seconds])
        self._timer.daemon = True
        self._timer.start()

    def stop(self):
        if self._timer:
            self._timer.cancel()

    def _end(self, name, seconds):
        frame = sys._current_frames().get(threading.main_thread().ident)
        where = "".join(traceback.format_stack(frame)) if frame else ""
        self._report.check(name, "FAIL", "took longer than %g s" % seconds, traceback=where)
        os._exit(3)


def raised():
    kind, value, _ = sys.exc_info()
    try:
        return "%s: %s" % (kind.__name__, value)
    except Exception:
        return kind.__name__  # its own text raises too


def trace():
    try:
        return traceback.format_exc()
    except Exception:
        return ""


def load(order, report):
    """An instance of the entry class, or None with the check failed."""
    import importlib

    module, _, name = order["entry_point"].partition(":")
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        from procvision_algorithm_sdk import BaseAlgorithm

        if not (isinstance(found, type) and issubclass(found, BaseAlgorithm)):
            report.check("entry_import", "FAIL", "%s is no subclass of BaseAlgorithm" % order["entry_point"])
            return None
        algorithm = found()
        if order["generation"] == "phased" and hasattr(algorithm, "setup"):
            try:
                algorithm.setup()
            except Exception:
                pass  # as the SDK's own adapter does
    except BaseException:
        report.check("entry_import", "FAIL", raised(), traceback=trace())
        return None
    report.check("entry_import", "PASS", order["entry_point"])
    return algorithm


def modules():
    import importlib.util

    return {name: importlib.util.find_spec(name) is not None for name in ("numpy", "PIL")}


def check_info(algorithm, order, report):
    """get_info(), its steps and its product ids, against the manifest."""
    try:
        info = algorithm.get_info()
    except BaseException:
        report.check("get_info", "FAIL", raised(), traceback=trace())
        return
    manifest = order["manifest"]
    if not isinstance(info, dict):
        report.check("get_info", "FAIL", "get_info() gave %s, not a dict" % type(info).__name__)
        return
    wrong = ["%s is %r in get_info() and %r in the manifest" % (key, info.get(key), manifest.get(key))
             for key in ("name", "version") if info.get(key) != manifest.get(key)]
    unfit = report.info(info)
    if unfit:
        wrong.append(unfit)
    report.judge("get_info", not wrong, "; ".join(wrong))
    steps = info.get("steps")
    report.judge("step_schema", isinstance(steps, list), "steps is %s, not a list" % type(steps).__name__)
    ours, theirs = manifest.get("supported_pids") or [], info.get("supported_pids")
    same = isinstance(theirs, list) and sorted(map(str, theirs)) == sorted(map(str, ours))
    report.judge("supported_pids_match", same, "the manifest has %r, get_info() %r" % (ours, theirs))


def write_frame(identifier):
    """A grey gradient, as a worker would find it."""
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': %r, }" % ((HEIGHT, WIDTH, 3),)
    text += " " * (-(len(text) + 11) % 64) + "\n"
    pixels = bytes(x * 3 for _ in range(HEIGHT) for x in range(WIDTH) for _ in range(3))
    with open(os.path.join(os.environ["PROC_SHM_DIR"], identifier + ".npy"), "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin1") + pixels)


def meta():
    return {"width": WIDTH, "height": HEIGHT, "timestamp_ms": int(time.time() * 1000), "camera_id": "probe"}


def phased_call(algorithm, method, order):
    from procvision_algorithm_sdk import Session

    pids = order["manifest"].get("supported_pids") or ["probe"]
    return getattr(algorithm, method)(1, pids[0], Session("probe", {}), {}, "probe", meta())


def execute_only_call(algorithm):
    from procvision_algorithm_sdk import read_image_from_shared_memory

    image = read_image_from_shared_memory("probe", meta())
    guide = read_image_from_shared_memory("probe", meta())
    return algorithm.execute(1, "", image, guide, [])


def attempt(report, name, call):
    """The answer of a call that gives a dict, else None with the check failed."""
    try:
        answer = call()
    except BaseException:
        report.check(name, "FAIL", raised(), traceback=trace())
        return None
    good = isinstance(answer, dict)
    report.judge(name, good, "gave %s, not a dict" % type(answer).__name__)
    return answer if good else None


def check_status(report, name, answer):
    status = answer.get("status")
    return report.judge(name, status in ("OK", "ERROR"), "status is %r, neither OK nor ERROR" % (status,))


def check_pre(algorithm, order, report):
    answer = attempt(report, "pre_execute_return_dict", lambda: phased_call(algorithm, "pre_execute", order))
    if answer is not None:
        check_status(report, "pre_status_valid", answer)
        report.judge("pre_message_present", isinstance(answer.get("message"), str), "message is missing")


def check_execute(algorithm, order, report):
    phased = order["generation"] == "phased"
    answer = attempt(report, "execute_return_dict",
                     lambda: phased_call(algorithm, "execute", order) if phased else execute_only_call(algorithm))
    good = answer is not None and check_status(report, "execute_status_valid", answer)
    if good and answer["status"] == "OK":
        good = check_verdict(answer.get("data"), report)
    report.judge("smoke_execute", good, "the trial call has no valid answer")


def check_verdict(data, report):
    data = data if isinstance(data, dict) else {}
    verdict = data.get("result_status")
    if not report.judge("execute_result_status_valid", verdict in ("OK", "NG"),
                        "result_status is %r, neither OK nor NG" % (verdict,)):
        return False
    if verdict == "OK":
        return True
    reason, rects = data.get("ng_reason"), data.get("defect_rects")
    is_list = isinstance(rects, list)
    found = [
        report.judge("ng_reason_present", isinstance(reason, str) and reason != "", "NG without an ng_reason"),
        report.judge("defect_rects_type", is_list, "defect_rects is %s, not a list" % type(rects).__name__),
        report.judge("defect_rects_count_limit", is_list and len(rects) <= MOST_RECTS,
                     "more than %d defect_rects, or none at all" % MOST_RECTS),
    ]
    return all(found)


def try_out(algorithm, order, report, clock):
    phased = order["generation"] == "phased"
    if phased:
        clock.step("get_info")
        check_info(algorithm, order, report)
    if order["task"] != "smoke":
        return
    write_frame("probe")
    if phased:
        clock.step("pre_execute_return_dict")
        check_pre(algorithm, order, report)
    clock.step("execute_return_dict")
    check_execute(algorithm, order, report)


def load_process(script):
    """Executes a script that is shared with others; gives what it defines."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "process", script)
    names = {"__name__": "procvision_launcher", "__file__": os.path.normpath(path)}
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), names)
    return names


def main():
    log = load_process("log_pipe.py")
    pipe = log["LogPipe"]()
    bounds = json.loads(sys.argv.pop(1))
    if bounds:
        load_process("contain.py")["contain"](bounds, load_process)
    log["exchange"](pipe)
    if bounds:
        load_process("enter_environment.py")["enter"](bounds.get("executable"))
    with open(sys.argv[1], encoding="utf-8") as file:
        order = json.load(file)
    probe(order)


def probe(order):
    report = Report(order["out"])
    clock = Clock(report, order)
    sys.path[0] = order["root"]
    deny_network()
    clock.step("entry_import")
    algorithm = load(order, report)
    report.line(modules=modules())
    if algorithm is not None:
        try_out(algorithm, order, report, clock)
    clock.stop()
    report.line(done=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of the algorithm do not keep the probe


main()
