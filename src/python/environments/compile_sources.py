"""Compiles sources below the working folder to byte code, in place of all that lies there.

    python -I -S -B compile_sources.py <path that tracebacks show for the working folder> <seconds>

stdin: one path a line as JSON, relative, with `/`; none at all stands for every source. Stops when the seconds are over.
stdout: {"compiled": number, "left": number}. Nothing of a package is run. Works on relative paths: a folder that is moved
away or removed in between is not made again in its old place.
"""
import json
import os
import py_compile
import sys
import time

PYTHON = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
# Less than this is not worth another process.
SHARE_AT_LEAST = 16
MOST_PROCESSES = 4

sys.path.insert(0, os.path.join(PYTHON, "wheels"))
from by_processes import by_processes, cores  # noqa: E402
from start_writing import start_writing  # noqa: E402


def die_with_host():
    guard = os.path.join(PYTHON, os.pardir, "process", "die_with_host.py")
    with open(guard, encoding="utf-8") as file:
        exec(file.read(), {})


def remove_byte_code():
    """What runs unasked is to be of this process alone: an algorithm on trial may have left some."""
    for folder, _, names in os.walk("."):
        for name in names:
            if name.endswith((".pyc", ".pyo")):
                os.unlink(os.path.join(folder, name))


def every_source():
    """Those of the project before those of its environment."""
    found = []
    for folder, folders, names in os.walk("."):
        folders[:] = sorted(name for name in folders if name not in ("test", "tests", "__pycache__"))
        found.extend(os.path.join(folder, name) for name in sorted(names) if name.endswith(".py"))
    return sorted(found, key=lambda path: path.startswith(os.path.join(os.curdir, "venv", "")))


def is_inside(path):
    """The list is of a package's making, and links lead anywhere."""
    real, root = os.path.realpath(path), os.path.realpath(os.curdir)
    return real == os.path.normpath(os.path.join(root, path)) and real.startswith(root + os.sep) and os.path.isfile(real)


def compile_source(path, shown):
    """Gives the file of byte code; None for a source that is none of this Python, or a test of bad syntax."""
    try:
        # By the source's hash, which is checked: a copy of the store may have given its files other times.
        return py_compile.compile(path, dfile=os.path.normpath(os.path.join(shown, path)), doraise=True,
                                  invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    except py_compile.PyCompileError:
        return None


def compile_share(paths, shown, until, host):
    """How many were compiled, and how many were left; byte code is on its way to the disk then."""
    made, left = [], 0
    for path in paths:
        if time.monotonic() > until or os.getppid() != host:
            left += 1
        else:
            made.append(compile_source(path, shown))
    made = [path for path in made if path is not None]
    start_writing(made)
    return len(made), left


def compile_all(paths, shown, until):
    count = min(cores(), MOST_PROCESSES, len(paths) // SHARE_AT_LEAST)
    if count < 2 or not hasattr(os, "fork"):
        return compile_share(paths, shown, until, os.getppid())
    this = os.getpid()
    shares = [paths[start::count] for start in range(count)]
    told = list(by_processes(shares, lambda share, tell: tell(*compile_share(share, shown, until, this))))
    if len(told) != count:
        raise OSError("a process that compiles ended before its time")
    return [sum(column) for column in zip(*told)]


def main():
    die_with_host()
    until = time.monotonic() + float(sys.argv[2])
    os.umask(0o022)  # for the user of the workers, too
    listed = [json.loads(line) for line in sys.stdin.buffer]
    remove_byte_code()
    paths = [path for path in listed if is_inside(path)] if listed else every_source()
    compiled, left = compile_all(paths, sys.argv[1], until)
    sys.stdout.write(json.dumps({"compiled": compiled, "left": left}) + "\n")
    sys.stdout.flush()


main()
