"""Puts unpacked wheels into an environment as PEP 427 says and as pip does it.

The root goes into purelib or platlib, `.data` by its schemes, scripts get this environment's interpreter; then come
INSTALLER, REQUESTED and RECORD.
"""
import errno
import fnmatch
import os
import re
import unicodedata

try:  # hashlib loads OpenSSL, which takes longer than to link five hundred files
    from _sha2 import sha256  # Python 3.12
except ImportError:
    try:
        from _sha256 import sha256
    except ImportError:
        from hashlib import sha256

from by_processes import by_processes, cores, each_by_threads
from file_owners import Owners
from place_files import Placer, remove_sealed
from start_writing import start_writing
from wheel_files import Fault, encode, is_byte_code, read_list, read_record, record_text, touched, tree_of

# Files of models: some of their readers refuse a file that has a second name (onnx since 1.21), and map them writable.
COPIED = (".onnx", ".onnx.data", ".onnx_data")
STEP = 256
STEP_OF_THREAD = 16
# A fork and its pipe cost as much as some hundred links; more processes than this wait for each other in the file system.
SHARE_AT_LEAST = 400
# To look at a file takes a tenth of what it takes to link it.
LOOKED_AT_ALONE = 8000
MOST_PROCESSES = 4


def link(request, _lines, progress):
    """Nothing is linked while a file of any of the wheels was touched: `touched` are the folders of those.

    `contested`: whether a file of the environment has several rows, or a row names none. Who owns it is the host's to settle.
    """
    wheels = request["wheels"]
    lists = [read_list(wheel["folder"]) for wheel in wheels]
    missing = [wheel["folder"] for wheel, files in zip(wheels, lists) if files is None]
    if missing:
        return {"touched": missing}
    linkings = [Linking(request, wheel, files) for wheel, files in zip(wheels, lists)]
    shares = shares_of(linkings)

    def look(share, tell):
        found = set()

        def look_at(some):
            linking, start = some
            if touched(linking.wheel["folder"], linking.files[start : start + STEP_OF_THREAD]):
                found.add(linking.wheel["folder"])

        if hasattr(os, "fork"):
            found.update(one.wheel["folder"] for one in share if touched(one.wheel["folder"], one.files))
        else:
            each_by_threads(
                ((one, start) for one in share for start in range(0, len(one.files), STEP_OF_THREAD)), look_at
            )
        for folder in sorted(found):
            tell("touched", folder)

    def put(share, tell):
        owners = Owners(is_alone=len(shares) == 1)
        placer = Placer(list(request["ways"]))
        launchers = None
        if request.get("launchers"):
            from launchers import Launchers

            launchers = Launchers(request["launchers"])
        for linking in share:
            try:
                own = linking.run(placer, launchers, owners, lambda files: tell("done", files))
                if request["synced"]:
                    start_writing(own)
            except Fault as fault:
                raise Fault(fault.text, linking.wheel["file"])
        tell("contested", owners.contested)

    is_little = sum(len(linking.files) for linking in linkings) < LOOKED_AT_ALONE
    suspects = [folder for _, folder in by_shares([linkings] if is_little else shares, look)]
    if suspects:
        return {"touched": suspects}
    done = 0
    contested = []
    for what, value in by_shares(shares, put):
        if what == "contested":
            contested.append(value)
        else:
            done += value
            progress(done)
    if len(contested) < len(shares):
        raise OSError(errno.EIO, "a linking process ended before its time")
    return {"touched": [], "contested": any(contested)}


def shares_of(linkings):
    """The wheels for each process, alike in files. Wheels with a file for one place stay together, in their order: the last wins."""
    total = sum(len(linking.files) for linking in linkings)
    count = min(cores(), MOST_PROCESSES, total // SHARE_AT_LEAST) if hasattr(os, "fork") else 1
    if count < 2:
        return [linkings]
    group = list(range(len(linkings)))
    taken = []
    every = set()
    for index, linking in enumerate(linkings):
        names = folded(linking.names())
        if not every.isdisjoint(names):
            for other in range(index):
                if group[other] != group[index] and not taken[other].isdisjoint(names):
                    group = [group[index] if one == group[other] else one for one in group]
        taken.append(names)
        every |= names
    shares = [[] for _ in range(count)]
    together = [[linkings[at] for at, one in enumerate(group) if one == index] for index in sorted(set(group))]
    files = [0] * count
    for wheels in sorted(together, key=lambda some: -sum(len(linking.files) for linking in some)):
        least = files.index(min(files))
        shares[least].extend(wheels)
        files[least] += sum(len(linking.files) for linking in wheels)
    return [share for share in shares if share]


def folded(names):
    """As file systems see them that fold case or Unicode form, and take one file for two names."""
    text = "\n".join(names)
    return set((text if text.isascii() else unicodedata.normalize("NFC", text)).lower().split("\n"))


def by_shares(shares, work):
    """What `work` tells of each share, each in a process of its own where there are several."""
    if len(shares) == 1:
        told = []
        work(shares[0], lambda *values: told.append(values))
        yield from told
        return
    told = by_processes(shares, lambda share, tell: telling_failure(work, share, tell))
    try:
        for what, *values in told:
            if what == "fault":
                raise Fault(*values)
            if what == "error":
                raise OSError(*values)
            yield (what, *values)
    finally:
        told.close()


def telling_failure(work, share, tell):
    try:
        work(share, tell)
    except Fault as fault:
        tell("fault", fault.text[:500], fault.entry)
    except OSError as error:
        path = error.filename if isinstance(error.filename, str) else None
        tell("error", error.errno, (error.strerror or str(error))[:500], path and path[-1000:])
    except BaseException as error:
        tell("error", errno.EIO, ("cannot be linked (%r)" % error)[:500], None)


class Linking:
    """One wheel on its way into an environment."""

    def __init__(self, request, wheel, files):
        self.python_line = request["pythonLine"]
        self.own_files = [pattern.lower().replace("[", "[[]") for pattern in request["ownFiles"]]
        self.wheel = wheel
        self.files = files
        self.tree = tree_of(wheel["folder"])
        self.library = wheel["schemes"]["purelib" if wheel["purelib"] else "platlib"]
        self.info = os.path.join(self.library, wheel["info"])
        self.folders = set()
        self.record = wheel["info"] + "/RECORD"
        paths = [row[0] for row in files]
        self.has_data = any(is_data(path) for path in paths if ".data" in path)
        self.has_copies = bool(self.own_files) or ".onnx" in "\n".join(paths).lower()
        self.models = {os.path.dirname(path) for path in paths if self.has_copies and path.lower().endswith(".onnx")}

    def names(self):
        """Of each file that it makes, for a comparison: absolute, with this system's separators."""
        start = self.library + os.sep
        names = [start + path for path, _, _, _ in self.files if not (self.has_data and is_data(path))]
        if self.has_data:
            for path, _, _, _ in self.files:
                if is_data(path):
                    try:
                        place, _ = self.destination(path)
                    except Fault as fault:
                        raise Fault(fault.text, self.wheel["file"])
                    if place is not None:
                        names.append(place)
        for name, _ in self.wheel["wrappers"]:
            names.append(os.path.join(self.wheel["schemes"]["scripts"], name))
        for name in ("INSTALLER", "REQUESTED", "RECORD"):
            names.append(self.info + os.sep + name)
        return names

    def run(self, placer, launchers, owners, count):
        """Gives the files that are this environment's alone. `count` gets the number of files that are done since its last call."""
        counted = 0
        places, changed, made = {}, {}, set()
        # Of two files for one place the later one wins.
        paths = [row[0] for row in self.files]
        later = None if hasattr(os, "fork") or self.has_data or len(folded(paths)) < len(paths) else []
        library, tree = self.library + os.sep, self.tree + os.sep
        for number, (path, _, _, executable) in enumerate(sorted(self.files, key=self.has_data and pips_order or None), 1):
            is_moved = self.has_data and is_data(path)
            target, is_script = self.destination(path) if is_moved else (library + path, False)
            if target is None:
                continue
            places[path] = target
            if path == self.record:  # written anew
                continue
            if is_moved:
                self.make_folder(os.path.dirname(target))
            else:
                folder = path[: max(path.rfind("/"), 0)]
                if folder not in made:
                    self.make_folder(library + folder if folder else self.library)
                    made.add(folder)
            source = tree + path
            if is_script:
                content = self.script(source)
                if content is not None:
                    changed[path] = content
                with open(source, "rb") as file:
                    replace(target, file.read() if content is None else content, 0o755 if executable else 0o644)
            elif later is None:
                self.place(placer, path, target, executable)
            else:
                later.append((path, target, executable))
            if number - counted == STEP:
                count(STEP)
                counted = number
        if later:
            each_by_threads(later, lambda file: self.place(placer, *file))
        self.make_folder(self.info)
        generated = self.generate(launchers)
        record = self.write_record(places, changed, generated, owners)
        count(len(self.files) - counted)
        return [record, *generated, *(places[path] for path in changed)]

    def place(self, placer, path, target, executable):
        try:
            source = self.tree + os.sep + path
            placer.place(source, target, executable, not (self.has_copies and self.is_copied(path)))
        except OSError:
            if os.path.isdir(target) and not os.path.islink(target):
                raise Fault("has the file %s, where another wheel has a folder: leave one of the two out" % path)
            raise

    def is_copied(self, path):
        name = path.lower()
        if name.endswith(COPIED) or (name.endswith(".data") and os.path.dirname(path) in self.models):
            return True
        return any(fnmatch.fnmatchcase(name.rpartition("/")[2], pattern) for pattern in self.own_files)

    def make_folder(self, folder):
        if folder in self.folders:
            return
        if os.path.dirname(folder) in self.folders:
            try:
                os.mkdir(folder)
            except FileExistsError:
                if not os.path.isdir(folder):
                    raise self.taken(folder)
        else:
            try:
                os.makedirs(folder, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise self.taken(folder)
            except FileNotFoundError:  # so Windows calls a folder below a file: that one says so
                self.make_folder(os.path.dirname(folder))
                raise
        self.folders.add(folder)

    def taken(self, folder):
        shown = os.path.relpath(folder, self.library).replace(os.sep, "/")
        return Fault("has the folder %s, where another wheel has a file: leave one of the two out" % shown)

    def destination(self, path):
        """(where the file goes, whether it is a script); nowhere for what an entry point makes."""
        top, _, rest = path.partition("/")
        if not top.endswith(".data"):
            return self.library + os.sep + path, False
        key, _, rest = rest.partition("/")
        if not rest:
            raise Fault("has a file %s outside every scheme of its .data folder" % path)
        if key not in self.wheel["schemes"]:
            raise Fault("has %s: %s is no scheme" % (path, key))
        is_script = key == "scripts"
        command = re.sub(r"(\.exe|-script\.py|\.pya)$", "", rest.rpartition("/")[2], flags=re.IGNORECASE)
        if is_script and command in self.wheel["commands"]:
            return None, False
        return os.path.join(self.wheel["schemes"][key], *rest.split("/")), is_script

    def script(self, source):
        """The script with this interpreter in its first line; None when it does not ask for one."""
        with open(source, "rb") as file:
            content = file.read()
        if not content.startswith(b"#!python"):
            return None
        return self.python_line.encode("utf-8") + content.partition(b"\n")[2]

    def generate(self, launchers):
        """Writes what an installer adds. Gives the content of each file by its path."""
        generated = {}
        for name, text in self.wheel["wrappers"]:
            self.make_folder(self.wheel["schemes"]["scripts"])
            target = os.path.join(self.wheel["schemes"]["scripts"], name)
            generated[target] = text.encode("utf-8")
            if launchers:
                generated[target] = launchers.program(text, is_window=name in self.wheel["windows"])
            replace(target, generated[target], 0o755)
        additions = {"INSTALLER": b"pip\n"}
        if self.wheel["requested"]:
            additions["REQUESTED"] = b""
        for name, content in additions.items():
            target = os.path.join(self.info, name)
            generated[target] = content
            replace(target, content, 0o644)
        return generated

    def write_record(self, places, changed, generated, owners):
        rows = read_record(self.wheel["folder"], self.wheel["info"]) or []
        names = [name for name, _ in self.wheel["wrappers"]]
        # Most often each file has one row and keeps its place: there is nothing to be found out row by row then.
        if self.has_data or len(rows) != len(places) or {row[0] for row in rows} != places.keys():
            rows = self.changed_rows(rows, places, changed, owners)
        owners.add_all(self.library, rows)
        for target, content in generated.items():
            # A command of the console and of a window has one script, which pip lists twice.
            row = (self.relative(target), *described(content))
            for _ in range(max(1, names.count(os.path.basename(target)))):
                rows.append(row)
                owners.add(self.library, row[0])
        record = os.path.join(self.info, "RECORD")
        remove(record)
        with open(record, "x", encoding="utf-8", newline="") as file:
            file.write(record_text(sorted(rows)))
        os.chmod(record, 0o644)
        return record

    def changed_rows(self, record, places, changed, owners):
        rows = []
        unlisted = dict(places)
        for path, value, size in record:
            if is_byte_code(path):  # was not unpacked
                continue
            if unlisted.pop(path, None) is None:
                owners.name_none()
            if path in changed:
                value, size = described(changed[path])
            rows.append((self.listed(path, places), value, size))
        rows.extend((self.listed(path, places), "", "") for path in unlisted)
        return rows

    def listed(self, path, places):
        """As RECORD names a file of the wheel. Most keep their path; finding out how places relate takes time."""
        if path in places and path.partition("/")[0].endswith(".data"):
            return self.relative(places[path])
        return path

    def relative(self, target):
        return os.path.relpath(target, self.library).replace(os.sep, "/")


def is_data(path):
    return path.partition("/")[0].endswith(".data")


def pips_order(row):
    """Of two files of one wheel for the same place the later one wins: the root, then `.data`, its scripts last."""
    top, _, rest = row[0].partition("/")
    is_data = top.endswith(".data")
    return is_data, is_data and rest.startswith("scripts/"), row[0]


def described(content):
    return "sha256=" + encode(sha256(content).digest()), str(len(content))


def remove(target):
    try:
        remove_sealed(target)
    except FileNotFoundError:
        pass


def replace(target, content, mode):
    """Never written through: the existing file may be a link that others share."""
    remove(target)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
