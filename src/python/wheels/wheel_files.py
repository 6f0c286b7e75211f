"""What the parts of the store helper share: the list of an unpacked wheel's files, its RECORD, and faults."""
import binascii
import csv
import io
import json
import os

# Below the size from which the C library takes fresh memory from the system for each chunk, which would cost more
# time than inflating it.
CHUNK = 128 * 1024
LIST = "files.jsonl"
URL_SAFE = bytes.maketrans(b"+/", b"-_")


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
    tree = tree_of(folder) + os.sep
    lstat = os.lstat
    found = []
    for row in files:
        path, size, mtime, _ = row
        try:
            stat = lstat(tree + path)
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
            text = file.read()
        lines = plain_lines(text)
        found = csv.reader(io.StringIO(text, newline="")) if lines is None else [line.split(",") for line in lines]
        return [tuple(row) if len(row) == 3 else tuple((row + ["", "", ""])[:3]) for row in found if row and row[0]]
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Fault("has a RECORD that cannot be read (%s)" % error)


def plain_lines(text):
    """Lines of a CSV in which a comma and a line end are always what they seem; None for what the csv module must read.

    It looks at each character, which takes ten times as long.
    """
    text = text.replace("\r\n", "\n")
    if '"' in text or "\r" in text or "\0" in text:
        return None
    lines = text.split("\n")
    return lines if len(max(lines, key=len)) <= csv.field_size_limit() else None


def record_text(rows):
    """The same as the csv module writes it."""
    text = "".join([",".join(row) + "\r\n" for row in rows])
    if '"' not in text and text.count(",") == 2 * len(rows) and text.count("\r") == text.count("\n") == len(rows):
        return text
    made = io.StringIO(newline="")
    csv.writer(made).writerows(rows)
    return made.getvalue()


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
    return binascii.b2a_base64(digest, newline=False).translate(URL_SAFE).rstrip(b"=").decode("ascii")


def hash_file(path, algorithm):
    import hashlib  # loads OpenSSL: what links hashes no file

    digest = hashlib.new(algorithm)
    with open(path, "rb", buffering=0) as file:
        buffer = memoryview(bytearray(CHUNK))
        while True:
            count = file.readinto(buffer)
            if not count:
                return digest.digest()
            digest.update(buffer[:count])
