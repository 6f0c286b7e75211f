"""Runs work in a process below this one and ends it with everything that it started.

Executed, like die_with_host.py, by the scripts that run what a package brought: contain(work) is what they use of it.
"""
import os
import sys
import traceback


def contain(work):
    """Runs `work` in a process below this one and ends with it, and with everything that it started.

    Killing a process group misses what has left the group. So on Linux the work gets a process namespace (and a
    network namespace) of its own, which the kernel clears away with its first process; where that is not allowed,
    this process adopts what its descendants leave behind, and kills that.
    """
    if not sys.platform.startswith("linux"):
        work()
        return
    try:
        isolate()
    except Exception:
        pass  # a Python without ctypes, a system that forbids it
    reader, writer = os.pipe()

    def first():
        os.write(writer, b"%d" % wait_for(fork(work)))
        os._exit(0)

    leader = fork(first)
    os.close(writer)
    wait_for(leader)
    kill_children()
    end_like(int(os.read(reader, 16) or 1 << 8))


def fork(work):
    pid = os.fork()
    if pid == 0:
        try:
            die_with_parent()
            work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return pid


def wait_for(child):
    """Buries every child until this one ends, and gives its status."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return status


def end_like(status):
    if os.WIFSIGNALED(status):
        import resource
        import signal

        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def kill_children():
    """What the work left behind has become a child of this process; killing one may bring others."""
    while True:
        children = [int(name) for name in os.listdir("/proc") if name.isdigit() and parent_of(name) == os.getpid()]
        if not children:
            return
        for pid in children:
            os.kill(pid, 9)
        for pid in children:
            os.waitpid(pid, 0)


def parent_of(pid):
    try:
        with open("/proc/%s/stat" % pid, encoding="latin1") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None  # ended meanwhile


NEW_NETWORK, NEW_USER, NEW_PIDS = 0x40000000, 0x10000000, 0x20000000
DIE_WITH_PARENT, ADOPT_ORPHANS = 1, 36


def libc():
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    try:
        libc().prctl(DIE_WITH_PARENT, 9)
    except Exception:
        pass  # killing the group does it


def isolate():
    """Namespaces for the children of this process, as far as the system allows."""
    functions = libc()
    functions.prctl(ADOPT_ORPHANS, 1)
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        if functions.unshare(NEW_NETWORK | NEW_PIDS) != 0:
            functions.unshare(NEW_NETWORK)
    elif functions.unshare(NEW_NETWORK | NEW_PIDS | NEW_USER) == 0:
        maps = (("setgroups", "deny"), ("uid_map", "%d %d 1" % (uid, uid)), ("gid_map", "%d %d 1" % (gid, gid)))
        for name, text in maps:
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
