"""A folder for the files of a worker, where no namespace gives it memory of its own.

Executed by contain.py, in the keeper, which removes the folder in the end. Should something kill the keeper, the next one
does: each holds a lock on the folder of its worker, which the kernel releases with the process, in any process
namespace and under any host name.
"""
import os

PREFIX = "procvision-scratch-"
NEW = ".new"  # not locked yet
NEW_SECONDS = 60


def make_scratch(order, in_force):
    """The descriptor that holds the lock; None where no such folder is needed, or none can be made."""
    folders = order.get("scratch", {}).get("folders")
    if not folders or in_force.get("scratch"):
        return None
    for folder in folders:  # the best first
        try:
            return make_folder(folder, order, in_force)
        except OSError as error:
            in_force["missing"].append("its own files have no folder in %s: %s" % (os.path.dirname(folder), error.strerror))
    return None


def make_folder(folder, order, in_force):
    import fcntl

    os.mkdir(folder + NEW, 0o700)
    lock = os.open(folder + NEW, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if order.get("uid") is not None:
        os.chown(folder + NEW, order["uid"], order.get("gid", order["uid"]))
    os.rename(folder + NEW, folder)
    in_force["scratch"] = {"folder": folder, "bytes": None}
    return lock


def sweep_scratch(own):
    """Removes the folders beside `own` whose keepers are gone, on a thread of its own: one may be large. Without one where the
    next processes of this one live in another process namespace: the kernel then makes no thread (clone(2))."""
    import _thread

    try:
        _thread.start_new_thread(sweep, (os.path.dirname(own), os.path.basename(own)))
    except RuntimeError:
        pass  # a keeper without a namespace does it


def sweep(parent, own):
    for name in os.listdir(parent):
        if name.startswith(PREFIX) and name != own:
            try:
                remove_unlocked(os.path.join(parent, name))
            except OSError:
                pass  # its keeper lives, or it is another user's


def remove_unlocked(path):
    import fcntl
    import time

    about = os.lstat(path)
    if os.getuid() not in (0, about.st_uid) or path.endswith(NEW) and time.time() - about.st_mtime < NEW_SECONDS:
        return
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        import shutil  # the rarer case

        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
