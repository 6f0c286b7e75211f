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


def die_with_host():
    guard = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "process", "die_with_host.py")
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
    try:
        # By the source's hash, which is checked: a copy of the store may have given its files other times.
        py_compile.compile(path, dfile=os.path.normpath(os.path.join(shown, path)), doraise=True,
                           invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    except py_compile.PyCompileError:
        return False  # of another Python, or a test of bad syntax
    return True


def main():
    die_with_host()
    until = time.monotonic() + float(sys.argv[2])
    os.umask(0o022)  # for the user of the workers, too
    listed = [json.loads(line) for line in sys.stdin.buffer]
    remove_byte_code()
    paths = [path for path in listed if is_inside(path)] if listed else every_source()
    compiled = left = 0
    for path in paths:
        if time.monotonic() > until:
            left += 1
        elif compile_source(path, sys.argv[1]):
            compiled += 1
    sys.stdout.write(json.dumps({"compiled": compiled, "left": left}) + "\n")
    sys.stdout.flush()


main()
