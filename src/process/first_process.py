"""The first process of a process namespace, and the worker as its second (Linux).

Executed by contain.py. Both are children of the keeper. The first one buries orphans, and its end is the end of all.
"""
import os
import signal

NEXT_AFTER = "/proc/sys/kernel/ns_last_pid"  # of the namespace of the process that opens it
ATTEMPTS = 12  # on a machine that starts hundreds of processes a second


def fork_both(system, ignored, descriptors):
    """Process ids of the first process and of the worker, which itself gets 0 for its own.

    The worker gets the id inside that it has outside, so that what it logs of itself can be looked up: the id that is
    next outside is set inside. Where another process was faster, it is tried again.
    """
    questions, ask = os.pipe()
    answers, answer = os.pipe()
    init = os.fork()
    if init == 0:
        be_first(system, ignored, descriptors + (ask, answers), questions, answer)
    os.close(questions)
    os.close(answer)
    for attempt in range(ATTEMPTS):
        wait, go = os.pipe()
        wanted = set_next(ask, answers)
        worker = os.fork()
        if worker == 0:
            os.close(go)
            if not os.read(wait, 1):
                os._exit(0)  # another one takes its place
        elif wanted in (None, worker) or attempt == ATTEMPTS - 1:
            os.write(go, b"1")
            attempt = ATTEMPTS
        else:
            os.close(go)
            os.waitpid(worker, 0)
        os.close(wait)
        if worker == 0 or attempt == ATTEMPTS:
            break
    for descriptor in (ask, answers) + ((go,) if worker else ()):
        os.close(descriptor)
    return init, worker


def set_next(ask, answers):
    """The id that the next process has, outside as inside; None where the system lets nobody say."""
    try:
        with open(NEXT_AFTER, encoding="ascii") as file:
            last = int(file.read())
    except (OSError, ValueError):
        return None
    os.write(ask, b"%8d" % last)
    return last + 1 if os.read(answers, 1) == b"1" else None


def be_first(system, ignored, descriptors, questions, answer):
    """Never returns."""
    try:
        system.prctl(1, 9)  # PR_SET_PDEATHSIG
        signal.set_wakeup_fd(-1)
        for name in ignored:
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries orphans
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        for descriptor in descriptors:
            os.close(descriptor)
        while True:
            question = os.read(questions, 8)
            if not question:
                break
            try:
                with open(NEXT_AFTER, "w", encoding="ascii") as file:
                    file.write(question.decode("ascii"))
                os.write(answer, b"1")
            except OSError:
                os.write(answer, b"0")
        os.close(questions)
        os.close(answer)
        while True:
            signal.pause()
    finally:
        os._exit(1)
