"""Puts a process into its bounds from outside, before anything of a package is in its reach.

Executed by launch.py in an interpreter that knows nothing of the package's environment. This process becomes the
keeper: it forks the worker, which goes on with the next stage, and waits outside until the worker ends or its host
does. Where the system gives namespaces, the worker and all that it starts live in a process namespace, which the
kernel empties with its first process; elsewhere the keeper adopts and kills what they leave behind.
"""
import os
import _signal as signal  # what signal itself is made of, without its enumerations: they take as long as a fork
import sys

DIE_WITH_PARENT, ADOPT_ORPHANS = 1, 36  # prctl(2)
KILL = getattr(signal, "SIGUSR2", None)  # from the host, and at its death from the kernel: everything ends at once
ASK = getattr(signal, "SIGUSR1", None)  # from the host: the worker is to get a SIGTERM
# A service manager that stops the host sends these to all processes of the group: the host ends its workers itself,
# once their calls are finished.
NOT_FOR_US = ("SIGTERM", "SIGINT", "SIGHUP")


def contain(order, load):
    """Returns in the worker alone, with its bounds in force, and gives what is in force; `load` executes a script beside this one.

    `order`: {"host": process id, "report": descriptor or null, "log": LogPipe or nothing, and what bounds.py and
    namespaces.py read}. Its "pid_namespace", which the host counts in, is for those who read the command line.
    """
    # All of it beforehand: in the bounds no folder can be written to, and what is not compiled would be at every start.
    bind, keep = load("bounds.py")["bind"], load("keep.py")["keep"]
    namespaces, first, scratch = load("namespaces.py"), load("first_process.py")["FirstProcess"], load("scratch.py")
    system = load("system_calls.py")["System"].find()
    pool = load("pool.py")["Pool"](order.get("frames") if order.get("report") else None)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    handlers = {}
    for number in [KILL, ASK, signal.SIGCHLD] + [getattr(signal, name) for name in NOT_FOR_US]:
        handlers[number] = signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    in_force = {"missing": [] if system else ["no ctypes in this Python: no namespaces"]}
    spaces = system and order.get("namespaces") and namespaces["open_namespaces"](order, system, in_force)
    is_armed = bool(system) and system.prctl(DIE_WITH_PARENT, int(KILL))
    if system:
        system.prctl(ADOPT_ORPHANS, 1)
    if os.getppid() != order["host"]:
        os._exit(0)  # the host died before this line
    asked = shared_byte()
    answers, answer = os.pipe()
    keeper = (reader, writer, answers) + tuple(filter(None, (order.get("report"), pool.descriptor)))
    if spaces:
        init = first(system, NOT_FOR_US, keeper + (answer,))
        namespaces["furnish"](order, system, in_force)  # the first process gets ready at the same time
    else:
        init = None
    lock = scratch["make_scratch"](order, in_force)
    if lock is not None:
        keeper += (lock,)
    worker = init.fork_worker() if init else os.fork()
    if worker == 0:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        stay_when_all_are_stopped(asked)
        for descriptor in keeper:
            os.close(descriptor)
        os.setsid()
        bind(order, system, spaces, in_force)
        import json

        os.write(answer, json.dumps(in_force).encode())  # fails where the keeper is gone: then the worker ends here
        os.close(answer)
        return in_force
    os.close(answer)
    if order.get("log"):
        order["log"].enlarge()
    folder = None if lock is None else in_force["scratch"]["folder"]
    keep(order, system, worker, init and init.pid, is_armed, reader, answers, asked, folder, scratch["sweep_scratch"],
         pool)


def shared_byte():
    """A byte that the keeper and the worker share; None in a Python without mmap."""
    try:
        from mmap import mmap

        return mmap(-1, 1)
    except (ImportError, OSError):
        return None


def stay_when_all_are_stopped(asked):
    """A SIGTERM that the host has not asked for does not end the worker. A handler, not SIG_IGN: programs that the
    algorithm starts have the default again, and so have its forks, which multiprocessing ends by SIGTERM."""
    if asked is None:
        return

    def on_term(number, _):
        if asked[0]:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    from _thread import get_ident

    masks = {}

    def before_fork():  # what comes between the fork and the change of the handler waits, and is not lost
        masks[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def after_fork():
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop(get_ident()))

    def in_fork():
        if signal.getsignal(signal.SIGTERM) is on_term:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        after_fork()

    signal.signal(signal.SIGTERM, on_term)
    os.register_at_fork(before=before_fork, after_in_parent=after_fork, after_in_child=in_fork)
