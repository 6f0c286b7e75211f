"""Runs a given copy of pip inside this interpreter, locked in, whatever a wheel's metadata asks for: no network, no
archive from elsewhere, and no other program, which a checkout or a build from source would need.

    python -I -S pip_runner.py <folder or wheel that holds pip> <interpreter that scripts name> <folder of wheels> [arguments of pip]

Started without `site` in the interpreter that an environment was made from (`-S`), it works on the environment that
PROCVISION_ENVIRONMENT names, whose packages are in PROCVISION_PACKAGES: nothing that these hook into a start runs.
Works with every pip there is, where `pip --python` needs 22.3; pip sees the packages of this interpreter alone.
Lines on stderr that begin with U+001E count the bytes of wheels unpacked so far.
"""
import os
import runpy
import sys
import tempfile
import zipfile
from importlib.machinery import PathFinder

STEP = 1 << 18
REACHING_OUT = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg")
STARTING = ("subprocess.Popen", "os.posix_spawn", "os.spawn", "os.exec", "os.system", "os.startfile")
WRITING = os.O_WRONLY | os.O_RDWR
ARCHIVES = (".whl", ".zip", ".egg", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".lzma", ".tlz")


def lock_in(location, wheels):
    """The hook needs nothing of pip's own inside, which is another in each of its versions."""
    folders = [plain(folder) for folder in (wheels, sys.prefix, tempfile.gettempdir())]
    allowed = tuple(os.path.join(way, "") for folder in folders for way in (folder, os.path.realpath(folder)))

    def is_foreign_archive(file):
        if isinstance(file, int):
            return False
        path = plain(os.fsdecode(file))
        if not path.lower().endswith(ARCHIVES) or path.startswith(allowed):
            return False
        # pip itself may be a wheel, and that of Debian imports what it needs from wheels of the system.
        return path not in [plain(source) for source in (location, *sys.path)]

    def hook(event, arguments):
        if event in REACHING_OUT:
            raise PermissionError("deploying is offline: %s%r was refused" % (event, arguments[1:]))
        if event == "open" and not arguments[2] & WRITING and is_foreign_archive(arguments[0]):
            raise PermissionError("only wheels of the package are installed: %s was refused" % arguments[0])
        if event in STARTING:
            raise PermissionError("only wheels of the package are installed: starting %s was refused" % arguments[0])

    sys.addaudithook(hook)  # cannot be removed again


def plain(path):
    return os.path.normcase(os.path.abspath(path))


def forget_configuration():
    # Python's own name of it: pip compares, and on Windows Node.js has another for the same.
    os.environ["PIP_CONFIG_FILE"] = os.devnull


def find_pip_only_in(location):
    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return PathFinder.find_spec(name, [location], target) if name == "pip" else None

    sys.meta_path.insert(0, Finder)


def count_unpacked_bytes():
    """Counts in bytes of the wheels themselves, whose sizes are known beforehand."""
    read = zipfile.ZipExtFile.read
    open_entry = zipfile.ZipFile.open
    done = [0.0, 0.0]

    def opening(self, name, mode="r", *args, **kwargs):
        member = open_entry(self, name, mode, *args, **kwargs)
        if mode == "r":
            info = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
            member.packed_share = info.compress_size / max(1, info.file_size)
        return member

    def counting(self, n=-1):
        data = read(self, n)
        done[0] += len(data) * getattr(self, "packed_share", 1)
        if done[0] - done[1] >= STEP:
            done[1] = done[0]
            sys.__stderr__.write("\x1e%d\n" % done[0])
            sys.__stderr__.flush()
        return data

    zipfile.ZipFile.open = opening
    zipfile.ZipExtFile.read = counting


def die_with_host():
    guard = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "process", "die_with_host.py")
    with open(guard, encoding="utf-8") as file:
        exec(file.read(), {})


def enter_environment():
    environment, packages = (os.environ.pop("PROCVISION_" + name, None) for name in ("ENVIRONMENT", "PACKAGES"))
    if environment:
        sys.prefix = sys.exec_prefix = environment
        sys.path.append(packages)


def main():
    die_with_host()
    enter_environment()
    location, executable, wheels = sys.argv[1:4]
    sys.argv[1:4] = []
    sys.argv[0] = "pip"
    forget_configuration()
    lock_in(location, wheels)
    count_unpacked_bytes()
    find_pip_only_in(location)
    sys.executable = executable
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


main()
