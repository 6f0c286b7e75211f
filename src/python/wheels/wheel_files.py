"""What the parts of the store helper share: the list of an unpacked wheel's files, its RECORD, and faults."""
import base64
import csv
import hashlib
import json
import os

# Below the size from which the C library takes fresh memory from the system for each chunk, which would cost more
# time than inflating it.
CHUNK = 128 * 1024
LIST = "files.jsonl"


class Fault(Exception):
    """Something is wrong with the wheel itself; `entry` is the file of it, where there is one."""

    def __init__(self, text, entry=None):
        super().__init__(text)
        self.text = text
        self.entry = entry


def tree_of(folder):
    return os.path.join(folder, "tree")


def read_list(folder):
    """[path in the wheel, size, modification time in ns, executable] of each file; None when that is not known."""
    try:
        with open(os.path.join(folder, LIST), encoding="utf-8") as file:
            rows = json.loads("[%s]" % ",".join(file))  # at once: it takes a fifth of the time of line by line
    except (OSError, ValueError):
        return None
    return rows if rows and all(isinstance(row, list) and len(row) == 4 for row in rows) else None


def write_list(folder, files):
    """Replaces an earlier file in one step: a reader gets the old content or the new."""
    temporary = os.path.join(folder, ".%s.%d" % (LIST, os.getpid()))
    with open(temporary, "w", encoding="utf-8") as file:
        for row in files:
            file.write(json.dumps(row) + "\n")
    os.replace(temporary, os.path.join(folder, LIST))


def touched(folder, files):
    """Files that were written to, detected by size and time: no content is read. None stands for all."""
    if files is None:
        return [LIST]
    tree = tree_of(folder)
    found = []
    for row in files:
        path, size, mtime, _ = row
        try:
            stat = os.lstat(os.path.join(tree, path))
        except OSError:
            found.append(row)
            continue
        if stat.st_size != size or stat.st_mtime_ns != mtime:
            found.append(row)
    return found


def read_record(folder, info):
    """Rows (path, hash, size) of the wheel's RECORD; None when it has none."""
    try:
        with open(os.path.join(tree_of(folder), info, "RECORD"), encoding="utf-8", newline="") as file:
            rows = [(row + ["", "", ""])[:3] for row in csv.reader(file) if row and row[0]]
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Fault("has a RECORD that cannot be read (%s)" % error)
    return [tuple(row) for row in rows]


def row_path(path):
    """The file of the wheel that a row of RECORD means: some builders write `./a`, `/a` or `a\\b`."""
    path = path.replace("\\", "/")
    while path.startswith(("./", "/")):
        path = path[2:] if path.startswith("./") else path[1:]
    return path


def is_byte_code(path):
    """Never installed: it may be of other source than the one beside it."""
    return path.lower().endswith((".pyc", ".pyo"))


def is_description(path, info):
    """Whether a file tells about the project and is neither code nor says what code is run."""
    return path.startswith(info + "/") and path not in (info + "/WHEEL", info + "/entry_points.txt")


def encode(digest):
    """As RECORD writes a hash."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def hash_file(path, algorithm):
    digest = hashlib.new(algorithm)
    with open(path, "rb", buffering=0) as file:
        buffer = memoryview(bytearray(CHUNK))
        while True:
            count = file.readinto(buffer)
            if not count:
                return digest.digest()
            digest.update(buffer[:count])
