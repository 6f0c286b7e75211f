"""The keeper's own part: waits outside of the worker's bounds, and leaves nothing of it behind.

Executed by contain.py once the worker is on its way: nothing here delays its start.
"""
import os
import _signal as signal  # what signal itself is made of, without its enumerations: they take as long as a fork

POLL_SECONDS = 0.2  # where the kernel does not tell of the host's death
END_SECONDS = 2  # what cannot be killed, another user's, is not waited for longer
TOKEN = "PROCVISION_WORKER"


def keep(order, system, worker, init, is_armed, reader, answers, asked, scratch, sweep, pool, finished=None):
    """Never returns: ends as the worker ended. `scratch`: the worker's folder, where this process has made one. `finished`: called
    when nothing of the worker is left."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    status = None
    if order.get("report"):
        forget_environment(system)  # the host learns which process is the worker
    try:
        report(order.get("report"), answers, worker)
        if scratch:
            sweep(scratch)
        status = wait_for(order["host"], worker, init, is_armed, reader, asked)
    finally:
        if status is None:
            kill(os.kill, worker)
        if init:
            kill(os.kill, init)
        if status is None:
            bury(worker)  # before the first process of its namespace, which waits for that
        if init:
            bury(init)  # returns when the namespace is empty
        else:
            end_remains(worker)
        if scratch:
            import shutil

            shutil.rmtree(scratch, ignore_errors=True)
        is_ending = has_closed(order.get("report"))
        if pool.descriptor is not None and (status is None or is_ending):
            pool.remove_abandoned(is_ending)
    if finished:
        finished()
    end_like(9 if status is None else status)


def forget_environment(system):
    """The keeper has the variables of the worker, and would be taken for it by who looks for those."""
    if not system:
        return
    try:
        with open("/proc/self/stat", "rb") as file:
            start, end = map(int, file.read().rpartition(b")")[2].split()[47:49])  # env_start, env_end (proc(5))
        system.clear(start, end)
    except Exception:
        pass  # /proc is not there


def report(descriptor, answers, worker):
    """Tells the host, in a line, which process the worker is, and what it said of its bounds."""
    said = b""
    while True:
        part = os.read(answers, 65536)
        if not part:
            break
        said += part
    os.close(answers)
    if descriptor:
        try:
            os.write(descriptor, b'{"pid":%d,"bounds":%s}\n' % (worker, said or b"null"))
        except OSError:
            pass


def has_closed(descriptor):
    """Whether the host, or its thread, has closed the other end of the report: it may still be on its way out."""
    if not descriptor:
        return False
    import select

    poll = select.poll()
    poll.register(descriptor, 0)
    return bool(poll.poll(0))


def wait_for(host, worker, init, is_armed, reader, asked):
    """The worker's status; None when the host is gone or wants the end."""
    import select

    while True:
        if select.select([reader], [], [], None if is_armed else POLL_SECONDS)[0]:
            for number in os.read(reader, 64):
                if number == signal.SIGUSR2:
                    return None
                if number == signal.SIGUSR1:
                    if asked:
                        asked[0] = 1
                    kill(os.killpg, worker, signal.SIGTERM)
        if os.getppid() != host:
            return None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return None
            if pid == worker:
                return status
            if pid == init:
                return None  # by a hand from outside: the kernel has ended the rest
            if pid == 0:
                break


def bury(pid):
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass


def end_remains(worker):
    """Ends what the worker has left. A resource tracker of Python is let live for a while: it sees that nobody is left,
    removes the shared memory and the semaphores that they had, and ends by itself."""
    import time

    kill(os.killpg, worker, signal.SIGCONT)
    until = time.monotonic() + END_SECONDS
    while time.monotonic() < until:
        left = remains(worker)
        doomed = [pid for pid in left if not is_tracker(pid)]
        if not left:
            break
        for pid in doomed:
            kill(os.kill, pid)
        if not doomed:
            time.sleep(0.01)
        bury_the_dead()
    for pid in remains(worker):
        kill(os.kill, pid)
    if not os.path.isdir("/proc/self"):
        kill(os.killpg, worker)
    bury_the_dead()


def bury_the_dead():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def remains(worker):
    """Processes that are left of the worker: of its session, adopted by this one, or with its token (Linux)."""
    token = os.environ.get(TOKEN)
    mark = ("%s=%s" % (TOKEN, token)).encode()
    own = os.getpid()
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if not name.isdigit() or int(name) in (own, worker):
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                state, parent, _, session = file.read().rpartition(b")")[2].split()[:4]
            if state in b"ZX":
                continue
            if int(parent) == own or int(session) == worker:
                found.append(int(name))
            elif token:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(name))
        except (OSError, ValueError):
            pass  # ended, or another user's
    return found


def is_tracker(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return b"resource_tracker import main" in file.read()
    except OSError:
        return False


def kill(function, target, number=9):
    try:
        function(target, number)
    except OSError:
        pass


def end_like(status):
    if os.WIFSIGNALED(status):
        import resource

        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))
