"""Compiles sources below the working folder to byte code, in place of all that lies there.

    python -I -S -B compile_sources.py <path that tracebacks show for the working folder> [<file of the trial run>]

stdin: a line with seconds, then one path a line as JSON, relative, with `/`; none at all stands for every source. Stops when the
seconds are over. Until the first line comes, it compiles what a trial run tells in its file that it loads, a path a line
likewise, and keeps that in memory. stdout: {"compiled": number, "left": number}. Nothing of a package is run. Works on
relative paths: a folder that is moved away or removed in between is not made again in its old place.
"""
import importlib.util
import json
import marshal
import os
import sys
import time

PYTHON = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
# Less than this is not worth another process.
SHARE_AT_LEAST = 16
MOST_PROCESSES = 4
# PEP 552: byte code that holds as long as the hash of its source does, which is checked. A copy of the store may have given
# its files other times.
CHECKED_HASH = (0b11).to_bytes(4, "little")
# So often the file of the trial run is looked at; it tells no more than so much.
LOOK_SECONDS = 0.05 if os.name == "nt" else 0.005  # Windows waits for 16 ms at least, and looks are dear
MOST_TOLD_BYTES = 4 << 20

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


def is_inside(path, root):
    """The list is of a package's making, and links lead anywhere. `root`: the working folder's real path."""
    real = os.path.realpath(path)
    return real == os.path.normpath(os.path.join(root, path)) and real.startswith(root + os.sep) and os.path.isfile(real)


def compiled(path, shown):
    """(hash of the source, byte code); None for a source that is none of this Python, or a test of bad syntax."""
    with open(path, "rb") as file:
        source = file.read()
    try:
        code = compile(source, os.path.normpath(os.path.join(shown, path)), "exec", dont_inherit=True)
    except Exception:  # as py_compile has it
        return None
    return importlib.util.source_hash(source), marshal.dumps(code)


def order_comes():
    """Gives what waits for so many seconds at most, and tells whether the first line has come."""
    if os.name != "nt":
        import select

        return lambda seconds: bool(select.select([0], [], [], seconds)[0])
    # Windows waits for no pipe: a thread reads it, and keeps what it reads for who asks next.
    import threading

    has_come = threading.Event()

    def wait():
        sys.stdin.buffer.peek()
        has_come.set()

    threading.Thread(target=wait, daemon=True).start()
    return has_come.wait


def compile_ahead(told, shown):
    """What a trial run loads, by path, while it runs: imports take one core, and this another. In memory alone: byte code on the
    disk could be in reach of the algorithm, and run in the trial."""
    made, text = {}, b""
    root, has_order, until = os.path.realpath(os.curdir), order_comes(), time.monotonic()
    with open(told, "rb") as file:
        while not has_order(max(0, until - time.monotonic())):
            if b"\n" not in text:
                text += file.read(min(1 << 16, MOST_TOLD_BYTES - file.tell()))
                until = time.monotonic() + (0 if b"\n" in text else LOOK_SECONDS)
                continue
            line, _, text = text.partition(b"\n")
            try:
                path = json.loads(line)
                if path not in made and path == os.path.normpath(path).replace(os.sep, "/") and is_inside(path, root):
                    made[path] = compiled(path, shown)
            except (ValueError, TypeError, OSError):
                pass  # the file is the algorithm's, too: compiled when the trial is over, if at all
    return made


def write(path, digest, code):
    """Gives the file of byte code, which comes into its place in one step."""
    target = importlib.util.cache_from_source(path)
    temporary = "%s.%d" % (target, os.getpid())
    mode = os.stat(path).st_mode & 0o666 | 0o200
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(temporary, flags, mode)
    except FileNotFoundError:  # the first of its folder
        os.makedirs(os.path.dirname(target), exist_ok=True)
        descriptor = os.open(temporary, flags, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(importlib.util.MAGIC_NUMBER + CHECKED_HASH + digest + code)
    os.replace(temporary, target)
    return target


def compile_source(path, shown, ahead):
    """Gives the file of byte code; None for what cannot be compiled. What was compiled ahead holds if its source is the same."""
    found = ahead.get(path)
    if found:
        with open(path, "rb") as file:
            if importlib.util.source_hash(file.read()) != found[0]:
                found = None
    found = found or compiled(path, shown)
    return found and write(path, *found)


def compile_share(paths, shown, until, host, ahead):
    """How many were compiled, and how many were left; byte code is on its way to the disk then."""
    made, left = [], 0
    for path in paths:
        if time.monotonic() > until or os.getppid() != host:
            left += 1
        else:
            made.append(compile_source(path, shown, ahead))
    made = [path for path in made if path is not None]
    start_writing(made)
    return len(made), left


def compile_all(paths, shown, until, ahead):
    count = min(cores(), MOST_PROCESSES, sum(path not in ahead for path in paths) // SHARE_AT_LEAST)
    if count < 2 or not hasattr(os, "fork"):
        return compile_share(paths, shown, until, os.getppid(), ahead)
    this = os.getpid()
    shares = [paths[start::count] for start in range(count)]
    told = list(by_processes(shares, lambda share, tell: tell(*compile_share(share, shown, until, this, ahead))))
    if len(told) != count:
        raise OSError("a process that compiles ended before its time")
    return [sum(column) for column in zip(*told)]


def main():
    die_with_host()
    os.umask(0o022)  # for the user of the workers, too
    shown, *told = sys.argv[1:]
    # With one core the trial run would wait for it.
    ahead = compile_ahead(told[0], shown) if told and cores() > 1 else {}
    seconds = sys.stdin.buffer.readline()
    if not seconds:
        return  # the trial run failed
    until = time.monotonic() + json.loads(seconds)
    listed = [json.loads(line) for line in sys.stdin.buffer]
    remove_byte_code()
    root = os.path.realpath(os.curdir)
    paths = [path for path in listed if is_inside(path, root)] if listed else every_source()
    made, left = compile_all(paths, shown, until, ahead)
    sys.stdout.write(json.dumps({"compiled": made, "left": left}) + "\n")
    sys.stdout.flush()


main()
