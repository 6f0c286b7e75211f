"""Ends this process when the host that started it dies, and lets the kernel choose it before others when memory runs out.

Executed at the start of each script that a host runs to its end: `exec` with the file's text, before anything of a
package is loaded. On Linux the kernel does it. Elsewhere, and where this Python cannot ask for it, this process stays
as a watcher, whose child goes on with the work: a thread would stand still while a library keeps the interpreter to
itself, and a watcher that is the child would be left to a host that buries nobody.
Only for the leader of a process group (the host makes one for each); Windows has no such thing.
"""


def die_with_host():
    import os

    if not hasattr(os, "fork") or os.getpgrp() != os.getpid():
        return
    host = os.getppid()
    yield_memory()
    if kernel_ends_this():
        if os.getppid() != host:
            os._exit(1)  # it died before that
        return
    import signal

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    former = signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer)
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, former)
        os.close(reader)
        os.close(writer)
        return
    watch(host, child, reader)


def yield_memory():
    """As workers do (bounds.py); a higher value of the host stays."""
    try:
        with open("/proc/self/oom_score_adj", "r+") as file:
            if int(file.read()) < 500:
                file.seek(0)
                file.write("500")
    except (OSError, ValueError):
        pass  # not Linux


def kernel_ends_this():
    import sys

    if not sys.platform.startswith("linux"):
        return False
    try:
        from _ctypes import call_function, dlopen, dlsym

        return call_function(dlsym(dlopen(None, 2), "prctl"), (1, 9, 0, 0, 0)) == 0  # PR_SET_PDEATHSIG, SIGKILL
    except Exception:
        return False  # a Python that was built without ctypes


def watch(host, child, reader):
    """Never returns."""
    import os
    import select

    # The host reads the pipes to their end; this process must not keep them open.
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if os.getppid() != host:
            os.killpg(0, 9)
        if select.select([reader], [], [], 0.2)[0]:
            os.read(reader, 64)
    if os.WIFSIGNALED(status):
        import signal

        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


die_with_host()
