"""Starts a worker so that nothing of it outlives its host.

    python launch.py <host pid> <module or file.py> [arguments of the module]

Runs the module as `python -m` would, in this very process. Before that, on POSIX, it forks a watcher: a process that
does nothing but wait for the death of the host or of the worker, and then kills what is left of the worker's process
group, and whatever carries the worker's token in its environment (children that made a group of their own; Linux).

PROCVISION_LIMITS, when set, is a JSON object of limits to apply before any code of the algorithm runs:
{"address_space_bytes": n, "open_files": n, "nice": n}.
"""
import os
import sys

TOKEN = "PROCVISION_WORKER"


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


def heed_modes():
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "process", "heed_modes.py")
    with open(script, encoding="utf-8") as file:
        exec(file.read(), {})


def carriers(token):
    """Processes whose environment holds the token, this one left out."""
    mark = ("%s=%s" % (TOKEN, token)).encode()
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if mark in file.read().split(b"\0"):
                        yield int(name)
            except OSError:
                pass


def wait_for_death(host, worker):
    import select
    import time

    def gone():
        return os.getppid() != worker or not alive(host)

    try:
        watched = [os.pidfd_open(host), os.pidfd_open(worker)]
        if not gone():
            select.select(watched, [], [])
    except (AttributeError, OSError):  # Python 3.8, or a system without pidfd
        while not gone():
            time.sleep(0.2)


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except PermissionError:
        return True
    except OSError:
        return False


def kill(function, target):
    try:
        function(target, 9)
    except OSError:
        pass


def watch(host, worker):
    """Never returns."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    # Its name is its worker's no longer, and a SIGTERM to the group must not end it before the others.
    import signal

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wait_for_death(host, worker)
    token = os.environ.get(TOKEN)
    if os.getppid() == worker:
        kill(os.kill, worker)
    if token:
        for pid in carriers(token):
            kill(os.kill, pid)
    kill(os.killpg, os.getpgrp())  # itself too
    os._exit(0)


def main():
    host, module = int(sys.argv[1]), sys.argv[2]
    limits = os.environ.pop("PROCVISION_LIMITS", None)
    if limits:
        apply_limits(limits)
    if hasattr(os, "fork"):
        worker = os.getpid()
        if os.getppid() != host:
            os._exit(0)  # the host died before this line
        if os.getpgrp() == worker and os.fork() == 0:
            watch(host, worker)
    heed_modes()
    sys.path[0] = os.getcwd()
    sys.argv = [sys.argv[0]] + sys.argv[3:]
    import runpy

    if module.endswith(".py"):
        runpy.run_path(module, run_name="__main__")
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)


main()
