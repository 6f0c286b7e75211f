"""Loads an algorithm as its worker would and tries it out, one step after the other.

    python -S probe.py <bounds> <order.json>

The bounds are for contain.py, and in force before anything of the package's environment is in reach. Windows has none of
them: there they name the environment's interpreter alone.

The order: {"task": "smoke" | "info", "entry_point", "generation", "manifest", "root", "out", "load_seconds",
"step_seconds", "setup_errors": "fail" | "warn", "cases": bool[, "told"]}. What is found goes to the file `out` as one JSON object a line: {"check",
"result", "message", "duration_ms"[, "traceback"]}, {"info"}, {"modules"}, then {"done": true, "loaded": [path]}. With `cases` come those of
boundary_cases.py after it: {"case", "begun"}, {"case", "result", "message"}, {"cases_done": true}. stdout and stderr are the algorithm's own.
"""
import json
import os
import sys
import time
import traceback

MOST_RECTS = 20
MOST_TEXT_CHARACTERS = 16384
MOST_INFO_CHARACTERS = 1 << 20
# Of an answer as it is sent: the largest frame that a worker's host takes.
MOST_ANSWER_BYTES = 16 << 20


def clip(text):
    """A message or a traceback with its end, where the cause is, if it is longer than anybody reads."""
    return text if len(text) <= MOST_TEXT_CHARACTERS else "…" + text[-MOST_TEXT_CHARACTERS:]


class Report:
    """Writes each finding at once: what was found before a crash is kept."""

    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8")
        self._owner = None
        self.started = time.perf_counter()

    def belong_to_this(self):
        """To this process, which has been started for the last time: its bounds start others."""
        self._owner = os.getpid()

    def end_copies(self):
        """Ends a process that the algorithm forked in a call and that came back from it: it has nothing to report. A worker
        hears and says nothing there either."""
        if self._owner in (None, os.getpid()):
            return
        error = sys.exc_info()[1]
        code = error.code if isinstance(error, SystemExit) else 0
        if not (code is None or isinstance(code, int)):
            print(code, file=sys.stderr)  # as Python ends
            code = 1
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass  # the algorithm closed it
        os._exit((code or 0) & 0xFF)

    def line(self, **fields):
        self.end_copies()
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
        self.end_copies()
        try:
            text = json.dumps(info, default=str, allow_nan=False)
        except (ValueError, TypeError, RecursionError) as error:
            return "get_info() gave what is no JSON: %s" % error
        if len(text) > MOST_INFO_CHARACTERS:
            return "get_info() gave %d characters of JSON, more than %d" % (len(text), MOST_INFO_CHARACTERS)
        self._file.write('{"info": %s}\n' % text)
        self._file.flush()
        return None

    def require(self, name, good, why):
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


def raised():
    kind, value, _ = sys.exc_info()
    try:
        text = "%s%s" % (value, setuptools_hint(value))
        return "%s: %s" % (kind.__name__, text) if text else kind.__name__
    except Exception:
        return kind.__name__  # its own text raises too


# What setuptools brings, and environments made with it had before Python 3.12: the maker's, but not the station's.
OF_SETUPTOOLS = ("setuptools", "pkg_resources", "distutils", "_distutils_hack")


def setuptools_hint(error):
    missing = str(getattr(error, "name", None)).split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if missing not in OF_SETUPTOOLS:
        return ""
    which = "setuptools below version 82, the last that has it" if missing == "pkg_resources" else "setuptools"
    return (". %s is part of setuptools, which environments do not have by themselves: add the wheel of %s to the "
            "package, and name it in requirements.txt" % (missing, which))


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
        import procvision_algorithm_sdk as sdk

        tools["read_contiguous"](sdk)
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not (isinstance(found, type) and issubclass(found, sdk.BaseAlgorithm)):
            report.check("entry_import", "FAIL", "%s is no subclass of BaseAlgorithm" % order["entry_point"])
            return None
        algorithm = found()
    except BaseException:
        report.check("entry_import", "FAIL", raised(), traceback=trace())
        return None
    report.check("entry_import", "PASS", order["entry_point"])
    return algorithm


def set_up(algorithm, order, report):
    """Whether the algorithm is ready for calls. SDKs swallow what setup() raises, and call an algorithm half made."""
    try:
        algorithm.setup()
    except BaseException:
        if order["setup_errors"] != "warn":
            return report.check("setup", "FAIL", "setup() raised " + raised(), traceback=trace())
        return report.check("setup", "PASS", "setup() raised %s, which setupErrors: 'warn' permits" % raised())
    return report.check("setup", "PASS")


def loaded(root):
    """Sources below the root that were imported, and all of the SDK's: its adapter is what runs the algorithm."""
    found = []
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__dict__", {}).get("__file__")  # not of the module: lazy ones would be imported by that
        found.append(path)
        if name == "procvision_algorithm_sdk" and isinstance(path, str):
            found.extend(os.path.join(folder, file) for folder, _, files in os.walk(os.path.dirname(path)) for file in files)
    top = root + os.sep
    return sorted({path[len(top):].replace(os.sep, "/") for path in found
                   if isinstance(path, str) and path.startswith(top) and path.endswith(".py")})


def modules():
    import importlib.util

    return {name: importlib.util.find_spec(name) is not None for name in ("numpy", "PIL")}


def check_info(algorithm, order, report):
    """get_info(), its steps and its product ids, against the manifest."""
    try:
        info = algorithm.get_info()
    except BaseException:
        report.check("get_info", "FAIL", raised(), traceback=trace())
        return None
    manifest = order["manifest"]
    if not isinstance(info, dict):
        report.check("get_info", "FAIL", "get_info() gave %s, not a dict" % type(info).__name__)
        return None
    wrong = ["%s is %r in get_info() and %r in the manifest" % (key, info.get(key), manifest.get(key))
             for key in ("name", "version") if info.get(key) != manifest.get(key)]
    unfit = report.info(info)
    if unfit:
        wrong.append(unfit)
    report.require("get_info", not wrong, "; ".join(wrong))
    steps = info.get("steps")
    report.require("step_schema", isinstance(steps, list), "steps is %s, not a list" % type(steps).__name__)
    ours, theirs = manifest.get("supported_pids") or [], info.get("supported_pids")
    same = isinstance(theirs, list) and sorted(map(str, theirs)) == sorted(map(str, ours))
    report.require("supported_pids_match", same, "the manifest has %r, get_info() %r" % (ours, theirs))
    return info


def answers_of(report, name, calls):
    """The answers of calls that give dicts; None with the check failed when one does not."""
    answers = []
    for title, call in calls:
        try:
            answer = call()
            report.end_copies()
        except BaseException:
            report.check(name, "FAIL", "%s (in the call in %s)" % (raised(), title), traceback=trace())
            return None
        if not isinstance(answer, dict):
            report.check(name, "FAIL", "gave %s, not a dict (in the call in %s)" % (type(answer).__name__, title))
            return None
        answers.append(answer)
    report.check(name, "PASS")
    return answers


def check_status(report, name, answers):
    wrong = [answer.get("status") for answer in answers if answer.get("status") not in ("OK", "ERROR")]
    return report.require(name, not wrong, "status is %r, neither OK nor ERROR" % (wrong[0] if wrong else "",))


def calls_of(trial, method, order):
    def call_of(colours, full):
        if order["generation"] == "phased":
            return lambda: trial.phased(method, colours, full)
        return lambda: trial.execute_only(colours, full)

    return [(title, call_of(colours, full)) for title, colours, full in trial.calls()]


def check_pre(trial, order, report):
    answers = answers_of(report, "pre_execute_return_dict", calls_of(trial, "pre_execute", order))
    if answers is None:
        return []
    check_status(report, "pre_status_valid", answers)
    report.require("pre_message_present", all(isinstance(one.get("message"), str) for one in answers),
                 "message is missing")
    return answers


def check_execute(trial, order, report, before):
    """`before`: what other calls have answered, to be looked at for whether it can be sent, too."""
    answers = answers_of(report, "execute_return_dict", calls_of(trial, "execute", order))
    good = answers is not None and check_status(report, "execute_status_valid", answers)
    if good:
        good = check_verdicts([one.get("data") for one in answers if one["status"] == "OK"], report)
    good = check_encoding(before + (answers or []), report) and good
    return report.require("smoke_execute", good, "the trial calls have no valid answers")


def check_encoding(answers, report):
    faults = []
    for answer in answers:
        for field in ("status", "message", "data"):
            if not faults:
                faults = tools["encoding_faults"](answer.get(field), field)
        if not faults:
            sent = {field: answer.get(field) for field in ("status", "message", "data")}
            size = len(json.dumps(sent, ensure_ascii=False).encode("utf-8"))
            if size > MOST_ANSWER_BYTES:
                faults = ["an answer is of %d bytes, and at most %d can be sent" % (size, MOST_ANSWER_BYTES)]
    return report.require("answer_encoding", not faults, "; ".join(faults))


def verdict_faults(data):
    """What is wrong with a verdict, by the check that finds it; None for what is right."""
    data = data if isinstance(data, dict) else {}
    verdict = data.get("result_status")
    found = {"execute_result_status_valid": None if verdict in ("OK", "NG") else
             "result_status is %r, neither OK nor NG" % (verdict,)}
    if verdict != "NG":
        return found
    reason, rects = data.get("ng_reason"), data.get("defect_rects")
    is_list = isinstance(rects, list)
    found["ng_reason_present"] = None if isinstance(reason, str) and reason else "NG without an ng_reason"
    found["defect_rects_type"] = None if is_list else "defect_rects is %s, not a list" % type(rects).__name__
    found["defect_rects_count_limit"] = (None if is_list and len(rects) <= MOST_RECTS else
                                         "more than %d defect_rects, or none at all" % MOST_RECTS)
    return found


def check_verdicts(answers, report):
    """The first that is wrong, else all that the verdicts gave to look at."""
    looked = [verdict_faults(data) for data in answers]
    wrong = [found for found in looked if any(found.values())]
    verdicts = dict(wrong[0]) if wrong else {name: fault for found in looked for name, fault in found.items()}
    for name, fault in verdicts.items():
        report.require(name, fault is None, fault)
    return not wrong


def try_out(algorithm, order, report, clock):
    """The trial, ready for further calls where it went well; None otherwise."""
    phased = order["generation"] == "phased"
    info = None
    if phased:
        if hasattr(algorithm, "setup"):
            clock.step("setup")
            if not set_up(algorithm, order, report):
                return None
        clock.step("get_info")
        info = check_info(algorithm, order, report)
    if order["task"] != "smoke":
        return None
    trial = tools["Trial"](algorithm, order, info)
    before = []
    if phased:
        clock.step("pre_execute_return_dict")
        before = check_pre(trial, order, report)
    clock.step("execute_return_dict")
    return trial if check_execute(trial, order, report, before) else None


# What the files beside this one define: they are executed, as their names must not be in the algorithm's way.
tools = {}


def execute(name, *places):
    """Executes a script of this library under a module's name; gives what it defines."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), *places)
    names = {"__name__": name, "__file__": os.path.normpath(path)}
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), names)
    return names


def load_process(script):
    return execute("procvision_launcher", os.pardir, "process", script)


def main():
    for script in ("encoding.py", "step_clock.py", "trial_calls.py", "boundary_cases.py", "tell_sources.py"):
        tools.update(execute("procvision_trial", script))
    log = load_process("log_pipe.py")
    pipe = log["LogPipe"]()
    bounds = json.loads(sys.argv.pop(1))
    with open(sys.argv[1], encoding="utf-8") as file:
        order = json.load(file)
    report = Report(order["out"])  # in its bounds, this process can write to no file of the store
    told = os.open(order["told"], os.O_WRONLY | os.O_APPEND) if order.get("told") else None
    if hasattr(os, "fork"):
        bounds["log"] = pipe
        try:
            load_process("contain.py")["contain"](bounds, load_process)
        except BaseException:
            pipe.give_back()
            raise
    log["exchange"](pipe)
    if bounds.get("scratch"):
        # The folder of the order is in the store, which is read-only now.
        folder = os.path.join(os.environ.get("TMPDIR", order["root"]), "frames")
        try:
            os.mkdir(folder)
            os.environ["PROC_SHM_DIR"] = folder
        except OSError:
            pass  # there is no folder for its own files; the trial needs none by itself
    load_process("enter_environment.py")["enter"](bounds.get("executable"))
    probe(order, report, told)


def probe(order, report, told):
    report.belong_to_this()
    clock = tools["Clock"](report, order)
    sys.path[0] = order["root"]
    sys.argv = ["procvision_algorithm_sdk.adapter", "--entry", order["entry_point"]]
    deny_network()
    if told is not None:
        tools["tell_sources"](told, order["root"])
    clock.step("entry_import")
    algorithm = load(order, report)
    report.line(modules=modules())
    trial = None if algorithm is None else try_out(algorithm, order, report, clock)
    clock.stop()
    report.line(done=True, loaded=loaded(order["root"]) if algorithm is not None else [])
    if order.get("cases") and trial is not None:
        tools["run_cases"](trial, order, report, clock, raised)
        report.line(cases_done=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of the algorithm do not keep the probe


# A process that the algorithm starts with `spawn` or `forkserver` reads this file again.
if __name__ == "__main__":
    main()
