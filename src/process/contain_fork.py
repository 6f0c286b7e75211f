"""Puts a worker that was forked from a fork server into bounds of its own, which are no wider than those of a worker
that was started cold (Linux).

Executed by the fork server, which lives in the bounds that contain.py made: its process namespace, its network, its
limits and its user are those of the workers too. What each worker has for itself is made here: a keeper, which ends
what the worker leaves behind, shared memory, queues and a folder for its own files. The mounts take a user namespace,
as the server has given up all rights before it imported anything.
"""
import os
import signal

DIE_WITH_PARENT, SET_DUMPABLE, ADOPT_ORPHANS = 1, 4, 36  # prctl(2)
NEW_MOUNTS, NEW_QUEUES, NEW_USER = 0x20000, 0x8000000, 0x10000000
MOST_COPIED_BYTES = 64 << 20
STAND_IN = 1


class NoPool:
    """The folder of frames is looked after by the keeper of the server."""

    descriptor = None


def why_unfit(order, in_force):
    """Why workers from this server would have other bounds than those that start cold; None when they have the same."""
    if in_force.get("processes"):
        if not in_force.get("sharedMemory") or not in_force.get("scratch"):
            return "this system has no /dev/shm to give to each worker"
        if in_force.get("stand_in") and os.stat(order["root"]).st_uid != os.getuid():
            return "the store belongs to another user, whose files a forked worker may not read"
        return None
    if os.getuid() != os.stat(order["scratch"]["folders"][0].rpartition("/")[0]).st_uid:
        return "a forked worker of this user can make no folder for its own files"
    return None


def fork_contained(order, server, stages, system, foreign, descriptors, finished):
    """Forks a keeper, which forks the worker. Returns the keeper's process id in the server, and in the worker None.

    `order`: the server's, with the worker's own `report`, `pipes` and `scratch`. `server`: {"pid", "in_force", "handlers"}.
    Descriptors: `foreign` are the server's, `descriptors` the keeper's alone. `finished`: called by the keeper when nothing of
    the worker is left.
    """
    keeper = os.fork()
    if keeper:
        return keeper
    try:
        os.dup2(order["pipes"][2], 2)
        for descriptor in foreign:
            os.close(descriptor)
        keep_forked(order, server, stages, system, descriptors, finished)
    except BaseException as fault:
        # Whatever it is: this process must not go on as a second server.
        os.write(2, ("The worker cannot be put into its bounds: %s\n" % fault).encode())
        os._exit(71)  # EX_OSERR
    return None


def keep_forked(order, server, stages, system, descriptors, finished):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)  # first: what comes from here on is not lost
    for number in (signal.SIGUSR2, signal.SIGUSR1, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    system.prctl(DIE_WITH_PARENT, int(signal.SIGUSR2))
    system.prctl(ADOPT_ORPHANS, 1)
    if os.getppid() != server["pid"]:
        os._exit(0)  # the server ended before this line
    in_force = dict(server["in_force"])
    stands_in = in_force.pop("stand_in", False)
    lock = None
    if in_force.get("processes"):
        own_mounts(order, system, stages["namespaces"], in_force, stands_in)
    else:
        in_force["scratch"] = None
        lock = stages["scratch"]["make_scratch"](order, in_force)
    asked = stages["contain"]["shared_byte"]()
    answers, answer = os.pipe()
    own = (reader, writer, answers) + tuple(descriptors) + (() if lock is None else (lock,))
    worker = os.fork()
    if worker == 0:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGUSR2, signal.SIGUSR1, signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, server["handlers"].get(number, signal.SIG_DFL))
        stages["contain"]["stay_when_all_are_stopped"](asked)
        for descriptor in own:
            os.close(descriptor)
        os.setsid()
        bounds = stages["bounds"]
        bounds["give_up_rights"]({}, system, dict(in_force, user=True))
        if in_force.get("scratch"):
            bounds["use_scratch"](order, in_force["scratch"]["folder"])
        if not system.prctl(DIE_WITH_PARENT, 9):
            in_force["missing"] = in_force["missing"] + ["the kernel does not tie the worker to its keeper"]
        import json

        os.write(answer, json.dumps(in_force).encode())  # fails where the keeper is gone: then the worker ends here
        os.close(answer)
        return
    os.close(answer)
    for descriptor in order["pipes"]:
        os.close(descriptor)  # the worker's alone
    folder = None if lock is None else in_force["scratch"]["folder"]
    kept = {"host": server["pid"], "report": order["report"]}
    stages["keep"]["keep"](kept, system, worker, None, True, reader, answers, asked, folder,
                           stages["scratch"]["sweep_scratch"], NoPool, finished)
    os._exit(70)  # never: keep() ends this process


def stand_in_for_root(system, in_force, namespaces):
    """Lets a server of root be user 1 of a user namespace. Its workers are root again, in theirs: a process that has given up
    its rights may map any user into a new namespace but user 0 (user_namespaces(7), since Linux 5.12)."""
    gid = os.getgid()
    if not system.unshare(NEW_USER):
        raise OSError("the system gives no user namespace to a fork server")
    namespaces["map_ids"]((STAND_IN, 0), (STAND_IN if gid == 0 else gid, gid))
    in_force["stand_in"] = True


def own_mounts(order, system, namespaces, in_force, stands_in):
    """Shared memory and queues of its own. What the import has left in the folder for own files comes along."""
    uid, gid = os.getuid(), os.getgid()
    system.prctl(SET_DUMPABLE, 1)  # after a change of user the files below belong to root
    scratch = os.open(in_force["scratch"]["folder"], os.O_RDONLY | os.O_DIRECTORY)
    frames = os.open(order["frames"], os.O_PATH | os.O_DIRECTORY)
    if not system.unshare(NEW_USER | NEW_MOUNTS | NEW_QUEUES):
        raise OSError("the system gives this user no namespaces")
    namespaces["map_ids"](*((0, uid), (0, gid)) if stands_in else ((uid, uid), (gid, gid)))
    umask = os.umask(0o022)
    try:
        namespaces["mount_own"](order, system, in_force, frames)
    finally:
        os.umask(umask)
    if not in_force["sharedMemory"] or not in_force.get("scratch"):
        raise OSError("the system lets this user mount no memory")
    copy_own_files(scratch, in_force["scratch"]["folder"])
    os.close(scratch)
    os.close(frames)
    system.prctl(SET_DUMPABLE, 0)


def copy_own_files(source, target):
    """`source`: a descriptor of the folder of the server."""
    import shutil

    top = "/proc/self/fd/%d" % source
    size = sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(top) for name in names)
    if size > MOST_COPIED_BYTES:
        raise OSError("the import has left %d bytes in its folder, of which each worker would need a copy" % size)
    shutil.copytree(top, target, symlinks=True, dirs_exist_ok=True)
