"""Namespaces for a worker: processes, mounts, System V and POSIX queues, and the network where it is denied (Linux).

Executed by contain.py. The keeper enters all but the one for processes itself, and makes the mounts, so that it knows
what the system refuses before anything depends on it. What it mounts goes with the namespace: nothing is cleaned up.
"""
import os
import sys

NEW_MOUNTS, NEW_QUEUES, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, REMOUNT, BIND, ALL_BELOW, RECEIVE_ONLY = 1, 2, 4, 8, 32, 4096, 16384, 1 << 19
SHARED_MEMORY, QUEUES = "/dev/shm", "/dev/mqueue"


def open_namespaces(order, system, in_force):
    """Whether the next children of this process live in a process namespace."""
    missing = in_force["missing"]
    if not unshare(order, system, in_force):
        missing.append("the system gives this user no namespaces")
        return False
    if not system.mount(None, "/", None, ALL_BELOW | RECEIVE_ONLY):
        missing.append("the system lets this user mount nothing")
        return False
    if not system.unshare(NEW_PROCESSES):
        missing.append("the system gives this user no process namespace")
        return False
    in_force["processes"] = True
    return True


def unshare(order, system, in_force):
    uid, gid = os.getuid(), os.getgid()
    wanted = NEW_MOUNTS | NEW_QUEUES
    for way in (0, NEW_USER):
        if way and (order.get("uid") not in (None, uid) or is_proc_covered() or not may_map(system, uid, gid)):
            continue
        if not way and uid != 0:
            continue
        for network in (NEW_NETWORK, 0) if order.get("network") == "none" else (0,):
            if not system.unshare(wanted | way | network):
                continue
            if network:
                in_force["network"] = "none"
                raise_loopback()
            if way:
                in_force["user"] = True
                map_ids((uid, uid), (gid, gid))
            return True
    return False


def map_ids(user, group):
    """Makes the user of this process the only one of its new namespace. Each: the id inside, and the id outside."""
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % user), ("gid_map", "%d %d 1" % group)):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)


def may_map(system, uid, gid):
    """Whether a user namespace that the system gives can be used: to root without CAP_SETFCAP, as in a container that drops all,
    the kernel gives one and lets it map nobody (user_namespaces(7)). There is no way back, so a child tries it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if system.unshare(NEW_USER):
                map_ids((uid, uid), (gid, gid))
                os.write(writing, b"1")
        except OSError:
            pass
        finally:
            os._exit(0)
    os.close(writing)
    answer = os.read(reading, 1)
    os.close(reading)
    try:
        os.waitpid(child, 0)
    except ChildProcessError:  # the parent of this process ignores its children
        pass
    return answer == b"1"


def raise_loopback():
    """Programs talk to themselves by 127.0.0.1, which is down in a new namespace."""
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8914, b"lo".ljust(16, b"\0") + (1).to_bytes(2, "little") + bytes(22))  # SIOCSIFFLAGS, IFF_UP


def mount_points():
    """None where there is no /proc to tell."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return [os.fsdecode(line.split(b" ", 5)[4]) for line in file]
    except OSError:
        return None


def is_proc_covered():
    """In a container parts of /proc are covered, and then the kernel gives an ordinary user no other one (proc(5)). It gives
    none where there is none at all."""
    points = mount_points()
    return points is None or any(point.startswith("/proc/") and not point.startswith("/proc/sys/fs/binfmt_misc")
                                 for point in points)


def furnish(order, system, in_force):
    """Makes the mounts."""
    umask = os.umask(0o022)  # the host's may keep the worker's user out of what is made here
    try:
        mount_all(order, system, in_force)
    finally:
        os.umask(umask)


def mount_all(order, system, in_force):
    root, frames, store, hidden = (order.get(name) for name in ("root", "frames", "store", "hidden"))
    kept = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in (root, frames) if path}
    in_force["files"] = True
    if os.getuid() == 0 and not order.get("uid"):
        # What starts the next worker before its bounds are in force: to root nothing else keeps it.
        for folder in {sys.base_prefix, sys.base_exec_prefix, order.get("library")}:
            if folder and len(folder) > 1 and os.path.isdir(folder):
                in_force["files"] &= bind(system, folder, folder)
    if order.get("sealed"):
        in_force["files"] &= bind(system, root, root)
    if store and os.path.isdir(store):
        in_force["files"] &= bind(system, store, store)
    if hidden and os.path.isdir(hidden):
        in_force["files"] &= system.mount("tmpfs", hidden, "tmpfs", NO_SETUID | NO_DEVICES, "size=256k,mode=755")
        for folder in (root, frames):
            if folder:
                os.makedirs(folder, exist_ok=True)
        in_force["files"] &= bind_held(system, kept[root], root)
        if not os.path.isdir(SHARED_MEMORY):
            make_scratch_in(hidden, order, system, in_force)
        in_force["files"] &= system.mount(None, hidden, None, REMOUNT | BIND | READ_ONLY | NO_SETUID | NO_DEVICES)
    mount_own(order, system, in_force, kept.get(frames))
    if os.getuid() == 0 and not order.get("uid"):
        protect(system, "/sys")
    for descriptor in kept.values():
        os.close(descriptor)


def mount_own(order, system, in_force, held_frames):
    """What each worker has for itself: shared memory with a folder for its files, queues; and its frames, which may lie
    in the shared memory of the host."""
    frames = order.get("frames")
    if os.path.isdir(SHARED_MEMORY):
        make_shared_memory(order, system, in_force)
    if frames:
        if not os.path.isdir(frames):
            os.makedirs(frames)
        bind_held(system, held_frames, frames)
    if os.path.isdir(QUEUES):
        system.mount("mqueue", QUEUES, "mqueue", NO_SETUID | NO_DEVICES | NO_PROGRAMS)


def make_shared_memory(order, system, in_force):
    size = os.statvfs(SHARED_MEMORY)
    options = "size=%d,mode=1777" % (size.f_blocks * size.f_frsize)
    in_force["sharedMemory"] = system.mount("tmpfs", SHARED_MEMORY, "tmpfs", NO_SETUID | NO_DEVICES, options)
    if in_force["sharedMemory"]:
        make_scratch_in(SHARED_MEMORY, order, system, in_force)


def make_scratch_in(parent, order, system, in_force):
    """A folder of memory for the worker's own files. `parent` is a mount of this namespace that can be written to."""
    scratch = order.get("scratch")
    if not scratch:
        return
    folder = parent + "/procvision"
    os.mkdir(folder, 0o700)
    owner = order.get("uid", os.getuid()), order.get("gid", os.getgid())
    options = "size=%d,mode=700,uid=%d,gid=%d" % ((scratch["bytes"],) + owner)
    if system.mount("tmpfs", folder, "tmpfs", NO_SETUID | NO_DEVICES, options):
        in_force["scratch"] = {"folder": folder, "bytes": scratch["bytes"]}


def bind_held(system, descriptor, target):
    """Shows a folder that was opened before, whatever was mounted above it since. By the working folder: /proc, which has a
    path for a descriptor, may be missing."""
    before = os.open(".", os.O_PATH | os.O_DIRECTORY)
    try:
        os.fchdir(descriptor)
        return bind(system, ".", target)
    finally:
        os.fchdir(before)
        os.close(before)


def bind(system, source, target):
    """Shows a folder at `target`, to be read only, with what is mounted below it."""
    return system.mount(source, target, None, BIND | ALL_BELOW) and protect(system, target)


def protect(system, top):
    """Forbids writing to a mount and to all below it."""
    if system.make_read_only(top):
        return True
    points = [point for point in mount_points() or () if (point + "/").startswith(top + "/")]
    return bool(points) and all([protect_alone(system, point) for point in points])


def protect_alone(system, point):
    """A user namespace may add flags that forbid to its mounts, and may not remove any."""
    forbidden = os.statvfs(point).f_flag & (NO_SETUID | NO_DEVICES | NO_PROGRAMS)
    return system.mount(None, point, None, REMOUNT | BIND | READ_ONLY | forbidden)
