"""The first process of a process namespace, and the worker as its second (Linux).

Executed by contain.py. Both are children of the keeper. The first one buries orphans, and its end is the end of all.
"""
import os
import _signal as signal  # what signal itself is made of, without its enumerations: they take as long as a fork

NEXT_AFTER = "/proc/sys/kernel/ns_last_pid"  # of the namespace of the process that opens it
ATTEMPTS = 12  # on a machine that starts hundreds of processes a second


class FirstProcess:
    """Forks the first process. `pid`: its id. `descriptors` are not its own."""

    def __init__(self, system, ignored, descriptors):
        questions, self._ask = os.pipe()
        self._answers, answer = os.pipe()
        self._set = last_id() + 1  # the id that the first process will have, which it sets at once as the last one
        self.pid = os.fork()
        if self.pid == 0:
            be_first(system, ignored, descriptors + (self._ask, self._answers), questions, answer, self._set)
        os.close(questions)
        os.close(answer)

    def fork_worker(self):
        """Process id of the worker, which itself gets 0. No second one can be forked.

        The worker gets the id inside that it has outside, so that what it logs of itself can be looked up: the id that is
        next outside is set inside. Where another process was faster, it is tried again.
        """
        is_known = own_id() == os.getpid()  # else the worker cannot look up which id it has out here
        for attempt in range(ATTEMPTS):
            wanted = self._next() if is_known else None
            is_last = wanted is None or attempt == ATTEMPTS - 1
            worker = os.fork()
            # Both ask the same, and come to the same answer.
            is_right = is_last or wanted == (worker or own_id())
            if worker == 0 and not is_right:
                os._exit(0)  # another one takes its place
            if is_right:
                break
            os.waitpid(worker, 0)
        for descriptor in (self._ask, self._answers):
            os.close(descriptor)
        return worker

    def _next(self):
        """The id that the next process has, outside as inside; None where the system lets nobody say."""
        last = last_id()
        if last != self._set:
            if self._set is not None:
                os.read(self._answers, 1)
            os.write(self._ask, b"%8d" % last)
        self._set = None
        return last + 1 if os.read(self._answers, 1) == b"1" else None


def own_id():
    """As the namespace of /proc counts; None where there is none. In a new process it is still that of its parent."""
    try:
        return int(os.readlink("/proc/self"))
    except (OSError, ValueError):
        return None


def last_id():
    """0 where the system does not tell."""
    try:
        number = os.open(NEXT_AFTER, os.O_RDONLY)
    except OSError:
        return 0
    try:
        return int(os.read(number, 32))
    except (OSError, ValueError):
        return 0
    finally:
        os.close(number)


def set_last(last):
    """Whether it could be: b"1" or b"0"."""
    try:
        number = os.open(NEXT_AFTER, os.O_WRONLY)
    except OSError:
        return b"0"
    try:
        os.write(number, b"%d" % last)
        return b"1"
    except OSError:
        return b"0"
    finally:
        os.close(number)


def be_first(system, ignored, descriptors, questions, answer, last):
    """Never returns."""
    try:
        system.prctl(1, 9)  # PR_SET_PDEATHSIG
        for descriptor in descriptors:
            os.close(descriptor)
        os.write(answer, set_last(last))  # fails where the keeper died before the line above: then this is the end
        signal.set_wakeup_fd(-1)
        for name in ignored:
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries orphans
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        while True:
            question = os.read(questions, 8)
            if not question:
                break
            os.write(answer, set_last(int(question)))
        os.close(questions)
        os.close(answer)
        while True:
            signal.pause()
    finally:
        os._exit(1)
