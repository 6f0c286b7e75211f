"""Ends this process, and everything it starts, when the host that started it dies.

Executed at the start of each script that a host runs to its end: `exec` with the file's text, before anything of a
package is loaded. A child watches, since a thread stands still while a library keeps the interpreter to itself.
Only for the leader of a process group (the host makes one for each); Windows has no such thing.
"""


def die_with_host():
    import os
    import time

    if not hasattr(os, "fork") or os.getpgrp() != os.getpid():
        return
    leader, host = os.getpid(), os.getppid()
    if os.fork() != 0:
        return
    try:
        # The host reads the pipes to their end; this process must not keep them open.
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        while os.getppid() == leader:
            try:
                os.kill(host, 0)
            except PermissionError:
                pass
            except OSError:
                os.killpg(leader, 9)
            time.sleep(0.2)
    finally:
        os._exit(0)


die_with_host()
