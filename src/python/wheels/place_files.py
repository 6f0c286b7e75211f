"""Puts files of the store into an environment with the least that the file systems allow."""
import errno
import os
import stat
import sys

FICLONE = 0x40049409  # linux/fs.h
TOO_MANY_LINKS = 1142  # winerror.h: a file of NTFS has 1,023 names besides its own
# What file systems answer when they cannot clone or link, or not between these two places.
CANNOT_CLONE = {"ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV", "EINVAL", "ENOTTY", "EPERM", "EACCES"}
CANNOT_LINK = {"EXDEV", "EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL"}


def clone_on_linux(source, target):
    import fcntl

    original = os.open(source, os.O_RDONLY)
    try:
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.ioctl(copy, FICLONE, original)
        except OSError:
            os.unlink(target)
            raise
        finally:
            os.close(copy)
    finally:
        os.close(original)


def clone_on_mac(source, target):
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "clonefile"):
        raise OSError(errno.ENOSYS, "no clonefile")
    if library.clonefile(os.fsencode(source), os.fsencode(target), 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def copy(source, target):
    import shutil  # loads decompressors of archives, which takes a while

    with open(source, "rb") as original, open(target, "xb") as made:
        shutil.copyfileobj(original, made, 1 << 18)


def remove_sealed(target):
    """Windows removes no file that is marked read-only."""
    if os.name == "nt":
        os.chmod(target, stat.S_IWRITE)
    os.unlink(target)


class Placer:
    """A clone that shares blocks until it is written to, else a second name of the same read-only file, else a copy.

    What was found not to work is not tried again.
    """

    def __init__(self, ways):
        known = {
            "reflink": (clone_on_mac if sys.platform == "darwin" else clone_on_linux, CANNOT_CLONE),
            "hardlink": (os.link, CANNOT_LINK),
            "copy": (copy, ()),
            "move": (os.rename, ()),  # out of a store that serves this environment alone
        }
        # Which file of the store a place shares: on Windows the mark that keeps it from being removed is that file's.
        self.shared = {} if os.name == "nt" else None
        if os.name == "nt":
            ways = [name for name in ways if name != "reflink"]
        self.ways = [(name, *known[name]) for name in ways]

    def place(self, source, target, executable, shared=True):
        """A file that is there already is replaced: of two wheels with the same file, the later one wins.

        A file that must not be shared by a second name is cloned or copied.
        """
        try:
            name = self.attempt(source, target, shared)
        except FileExistsError:
            former = self.shared and self.shared.pop(os.path.normcase(target), None)
            try:
                remove_sealed(target)
            finally:
                if former:
                    os.chmod(former, stat.S_IREAD)
            name = self.attempt(source, target, shared)
        if name != "hardlink":  # all others are this environment's own
            os.chmod(target, 0o755 if executable else 0o644)
        elif self.shared is not None:
            self.shared[os.path.normcase(target)] = source

    def attempt(self, source, target, shared):
        while True:
            first = name, way, cannot = self.ways[0]
            if name == "hardlink" and not shared:
                name, way, cannot = "copy", copy, ()
            try:
                way(source, target)
                return name
            except OSError as error:
                code = errno.errorcode.get(error.errno)
                is_full = code == "EMLINK" or getattr(error, "winerror", None) == TOO_MANY_LINKS
                if code not in cannot and not is_full:
                    raise
                if is_full:  # this file has all the names it can have, others not
                    copy(source, target)
                    return "copy"
                try:
                    self.ways.remove(first)
                except ValueError:  # another thread has found it, too
                    pass
