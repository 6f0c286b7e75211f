"""Gives a process and what it starts a log that they can open by name: `/dev/stderr`, `/proc/self/fd/2` (Linux).

Executed before anything of a package is. The pipes of a host in Node are sockets, which open(2) refuses with ENXIO. So
this process makes a pipe, and the host opens that as `/proc/<process>/fd/<n>`. Where it cannot, the log is as it was.
"""
import os
import sys


F_SETPIPE_SZ = 1031  # fcntl(2); in the module since Python 3.10
PIPE_BYTES = 1 << 18


def enlarge(end):
    """Where it cannot, the pipe holds 64 KiB, and a flood wakes the host more often."""
    try:
        import fcntl

        fcntl.fcntl(end, F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, OSError):
        pass


class LogPipe:
    """`descriptor`: of the end to read from, None where there is no pipe. Made by the process that the host knows. `is_kept`: the
    keeper enlarges it, while the worker goes on."""

    def __init__(self, platform=sys.platform, is_kept=False):
        self.descriptor = self._stderr = None
        if not platform.startswith("linux"):
            return
        try:
            self._stderr = os.dup(2)
            self.descriptor, end = os.pipe()
        except OSError:  # too few descriptors
            return
        if not is_kept:
            enlarge(end)
        os.dup2(end, 2)
        os.close(end)

    def settle(self, is_read):
        """The host has answered: 1 and 2 lead to the log from now on. To be called where the package will run."""
        if self.descriptor is not None:
            if not is_read:
                self.give_back()
            os.close(self.descriptor)
        if self._stderr is not None:
            os.close(self._stderr)
        os.dup2(2, 1)

    def enlarge(self):
        if self.descriptor is not None:
            enlarge(2)

    def give_back(self):
        """What is and was printed goes to the log of before. Also for a process that ends before the host has opened the pipe,
        which is gone with it."""
        if self.descriptor is None:
            return
        os.dup2(self._stderr, 2)
        os.set_blocking(self.descriptor, False)
        try:
            os.write(2, os.read(self.descriptor, PIPE_BYTES))
        except OSError:
            pass  # nothing was printed


def exchange(pipe):
    """For a process that speaks no protocol: one line each way, then its input is at its end."""
    os.write(1, b"%d\n" % (-1 if pipe.descriptor is None else pipe.descriptor))
    pipe.settle(os.read(0, 1) == b"1")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
