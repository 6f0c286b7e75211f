"""Waits for the death of a worker or of its host, and leaves nothing of the worker behind.

Executed by launch.py in a child of the worker, which is all that compiles it: a start is not to wait for that. Kills
what is left of the worker's process group, and whatever carries the worker's token in its environment (children that
made a group of their own; Linux).
"""
import os

TOKEN = "PROCVISION_WORKER"


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
