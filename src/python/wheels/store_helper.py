"""Does the work of the wheel store that goes through every file of a wheel. A separate process: the work must not take
memory, event loop or threads of the host, which inspects images at the same time.

    python -I -S store_helper.py [link]

With `link` what links is loaded before the first request comes.
A request is one line of JSON on stdin, `{"do": …}`; what follows belongs to it, up to a line `null`. Lines on stdout are
`{"done": n}` while it gets on, then one answer: `{"ok": …}`, `{"fault": text, "entry": name}` for what is wrong with
the wheel, or `{"error": {"code", "message", "path"}}` for what the system refused. Requests are served in turn.
"""
import errno
import gc
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def die_with_host():
    with open(os.path.join(HERE, os.pardir, os.pardir, "process", "die_with_host.py"), encoding="utf-8") as file:
        exec(file.read(), {})


def tell(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def serve(request, lines):
    if request["do"] == "unpack":
        from wheel_unpack import unpack as work
    elif request["do"] == "check":
        from wheel_check import check as work
    else:
        from wheel_link import link as work
    from wheel_files import Fault

    try:
        return {"ok": work(request, lines, lambda done: tell({"done": done}))}
    except Fault as fault:
        return {"fault": fault.text, "entry": fault.entry}
    except OSError as error:
        code = errno.errorcode.get(error.errno, "")
        return {"error": {"code": code, "message": error.strerror or str(error), "path": error.filename}}


def main():
    die_with_host()
    sys.path.insert(0, HERE)
    gc.disable()  # its lists of files have no cycles: going through them over and over frees nothing
    os.umask(0o022)  # the host's may keep the worker's user out of files that environments share
    if sys.argv[1:] == ["link"]:
        import wheel_link  # noqa: F401
    lines = (json.loads(line) for line in sys.stdin.buffer)
    for request in lines:
        following = iter(lambda: next(lines), None)
        answer = serve(request, following)
        for _ in following:  # of a request that failed before it had read all
            pass
        tell(answer)
    os._exit(0)  # at once: what it knows need not be taken apart piece by piece


main()
