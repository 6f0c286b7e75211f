"""Starts a worker so that nothing of it outlives its host.

    python launch.py <host pid> <module or file.py> [arguments of the module]

Runs the module as `python -m` would, in this very process. Before that, on POSIX, it forks a watcher (watch.py). What
is here is compiled at every start of a worker, so that only what each start needs is.

PROCVISION_LIMITS, when set, is a JSON object of limits to apply before any code of the algorithm runs:
{"address_space_bytes": n, "open_files": n, "nice": n}.
"""
import os
import sys


def apply_limits(text):
    import json
    import resource

    limits = json.loads(text)
    for name, kind in (("address_space_bytes", resource.RLIMIT_AS), ("open_files", resource.RLIMIT_NOFILE)):
        if name in limits:
            most = resource.getrlimit(kind)[1]
            wanted = limits[name] if most == resource.RLIM_INFINITY else min(limits[name], most)
            resource.setrlimit(kind, (wanted, wanted))
    if limits.get("nice"):
        os.nice(limits["nice"])


def execute(*script):
    """Runs a file that lies beside this one, and gives what it defines."""
    names = {}
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), *script), encoding="utf-8") as file:
        exec(file.read(), names)
    return names


def main():
    host, module = int(sys.argv[1]), sys.argv[2]
    log = execute(os.pardir, "process", "log_pipe.py")["LogPipe"]()
    pipes = execute("protocol_pipes.py")["ProtocolPipes"](log)
    limits = os.environ.pop("PROCVISION_LIMITS", None)
    if limits:
        apply_limits(limits)
    if hasattr(os, "fork"):
        worker = os.getpid()
        if os.getppid() != host:
            os._exit(0)  # the host died before this line
        if os.getpgrp() == worker and os.fork() == 0:
            execute("watch.py")["watch"](host, worker)
    pipes.take()
    execute(os.pardir, "process", "heed_modes.py")
    sys.path[0] = os.getcwd()
    sys.argv = [sys.argv[0]] + sys.argv[3:]
    import runpy

    if module.endswith(".py"):
        runpy.run_path(module, {"PROTOCOL": pipes}, "__main__")
    else:
        runpy.run_module(module, pipes.adapter_globals(module.partition(".")[0]), "__main__", True)


main()
