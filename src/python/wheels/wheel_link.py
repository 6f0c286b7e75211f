"""Puts unpacked wheels into an environment as PEP 427 says and as pip does it.

The root goes into purelib or platlib, `.data` by its schemes, scripts get this environment's interpreter; then come
INSTALLER, REQUESTED and RECORD.
"""
import csv
import errno
import fnmatch
import hashlib
import os
import re
import unicodedata

from by_processes import by_processes, cores
from place_files import Placer, remove_sealed
from start_writing import start_writing
from wheel_files import Fault, encode, is_byte_code, read_list, read_record, row_path, touched, tree_of

# Files of models: some of their readers refuse a file that has a second name (onnx since 1.21), and map them writable.
COPIED = (".onnx", ".onnx.data", ".onnx_data")
STEP = 256
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
        for linking in share:
            if touched(linking.wheel["folder"], linking.files):
                tell("touched", linking.wheel["folder"])

    def put(share, tell):
        owners = Owners(is_alone=len(shares) == 1)
        placer = Placer(list(request["ways"]))
        launchers = Launchers(request["launchers"]) if request.get("launchers") else None
        for linking in share:
            try:
                start_writing(linking.run(placer, launchers, owners, lambda files: tell("done", files)))
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
    owners = {}
    for index, linking in enumerate(linkings):
        for place in linking.names():
            # File systems that fold case or Unicode form see one file in two names.
            name = place if place.isascii() else unicodedata.normalize("NFC", place)
            owner = group[owners.setdefault(name.lower(), index)]
            if owner != group[index]:
                group = [owner if one == group[index] else one for one in group]
    shares = [[] for _ in range(count)]
    together = [[linkings[at] for at, one in enumerate(group) if one == index] for index in sorted(set(group))]
    files = [0] * count
    for wheels in sorted(together, key=lambda some: -sum(len(linking.files) for linking in some)):
        least = files.index(min(files))
        shares[least].extend(wheels)
        files[least] += sum(len(linking.files) for linking in wheels)
    return [share for share in shares if share]


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
        tell("error", errno.EIO, "cannot be linked (%r)" % error[:500])


class Owners:
    """The files that rows of any RECORD name."""

    def __init__(self, is_alone):
        self.is_alone = is_alone
        self.files = set()
        self.contested = False

    def name_none(self):
        """A row that names no file of its wheel: it may be of a file that another process links."""
        if not self.is_alone:
            self.contested = True

    def add(self, library, row):
        path = row_path(row)
        is_plain = path[:1] != "." and "/." not in path and "//" not in path
        file = library + os.sep + path if is_plain else os.path.normpath(os.path.join(library, path))
        file = file.replace(os.sep, "/")
        # Installers move what is in `.data`: a row that still names it is about a script that another one replaces.
        if file in self.files or path.partition("/")[0].endswith(".data"):
            self.contested = True
        self.files.add(file)


class Launchers:
    """The programs that scripts of Windows are made of, out of a pip: program, line of the interpreter, zip with the script."""

    KINDS = {"win-amd64": "64", "win-arm64": "64-arm", "win32": "32"}

    def __init__(self, pip):
        self.pip = pip
        self.known = {}

    def program(self, text, is_window):
        import io
        import zipfile

        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(zipfile.ZipInfo("__main__.py"), text)  # the same bytes each time
        python = b"pythonw.exe" if is_window else b"python.exe"
        # Relative to the launcher's own folder: a store may be moved.
        return self.launcher("w" if is_window else "t") + b"#!<launcher_dir>\\" + python + b"\r\n" + content.getvalue()

    def launcher(self, kind):
        import sysconfig
        import zipfile

        name = "%s%s.exe" % (kind, self.KINDS[sysconfig.get_platform()])
        if name not in self.known:
            path = "pip/_vendor/distlib/" + name
            if os.path.isdir(self.pip):
                with open(os.path.join(self.pip, *path.split("/")), "rb") as file:
                    self.known[name] = file.read()
            else:
                with zipfile.ZipFile(self.pip) as archive:
                    self.known[name] = archive.read(path)
        return self.known[name]


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
        self.models = {os.path.dirname(row[0]) for row in files if row[0].lower().endswith(".onnx")}

    def names(self):
        """Of each file that it makes, for a comparison: absolute, with this system's separators."""
        for path, _, _, _ in self.files:
            if path.partition("/")[0].endswith(".data"):
                try:
                    place, _ = self.destination(path)
                except Fault as fault:
                    raise Fault(fault.text, self.wheel["file"])
                if place is not None:
                    yield place
            else:
                yield self.library + os.sep + path
        for name, _ in self.wheel["wrappers"]:
            yield os.path.join(self.wheel["schemes"]["scripts"], name)
        for name in ("INSTALLER", "REQUESTED", "RECORD"):
            yield self.info + os.sep + name

    def run(self, placer, launchers, owners, count):
        """Gives the files that are this environment's alone. `count` gets the number of files that are done since its last call."""
        counted = 0
        places, changed = {}, {}
        for number, (path, _, _, executable) in enumerate(sorted(self.files, key=pips_order), 1):
            target, is_script = self.destination(path)
            if target is None:
                continue
            places[path] = target
            if path == self.record:  # written anew
                continue
            self.make_folder(os.path.dirname(target))
            source = os.path.join(self.tree, path)
            if is_script:
                content = self.script(source)
                if content is not None:
                    changed[path] = content
                with open(source, "rb") as file:
                    replace(target, file.read() if content is None else content, 0o755 if executable else 0o644)
            else:
                placer.place(source, target, executable, shared=not self.is_copied(path))
            if number - counted == STEP:
                count(STEP)
                counted = number
        self.make_folder(self.info)
        generated = self.generate(launchers)
        record = self.write_record(places, changed, generated, owners)
        count(len(self.files) - counted)
        return [record, *generated, *(places[path] for path in changed)]

    def is_copied(self, path):
        name = path.lower()
        if name.endswith(COPIED) or (name.endswith(".data") and os.path.dirname(path) in self.models):
            return True
        return any(fnmatch.fnmatchcase(name.rpartition("/")[2], pattern) for pattern in self.own_files)

    def make_folder(self, folder):
        if folder not in self.folders:
            os.makedirs(folder, exist_ok=True)
            self.folders.add(folder)

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
        rows = []
        names = [name for name, _ in self.wheel["wrappers"]]
        unlisted = dict(places)
        for path, value, size in read_record(self.wheel["folder"], self.wheel["info"]) or []:
            if is_byte_code(path):  # was not unpacked
                continue
            if unlisted.pop(path, None) is None:
                owners.name_none()
            if path in changed:
                value, size = described(changed[path])
            rows.append((self.listed(path, places), value, size))
        for target, content in generated.items():
            # A command of the console and of a window has one script, which pip lists twice.
            row = (self.relative(target), *described(content))
            rows.extend([row] * max(1, names.count(os.path.basename(target))))
        rows.extend((self.listed(path, places), "", "") for path in unlisted)
        for row in rows:
            owners.add(self.library, row[0])
        record = os.path.join(self.info, "RECORD")
        remove(record)
        with open(record, "x", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(sorted(rows))
        os.chmod(record, 0o644)
        return record

    def listed(self, path, places):
        """As RECORD names a file of the wheel. Most keep their path; finding out how places relate takes time."""
        if path in places and path.partition("/")[0].endswith(".data"):
            return self.relative(places[path])
        return path

    def relative(self, target):
        return os.path.relpath(target, self.library).replace(os.sep, "/")


def pips_order(row):
    """Of two files of one wheel for the same place the later one wins: the root, then `.data`, its scripts last."""
    top, _, rest = row[0].partition("/")
    is_data = top.endswith(".data")
    return is_data, is_data and rest.startswith("scripts/"), row[0]


def described(content):
    return "sha256=" + encode(hashlib.sha256(content).digest()), str(len(content))


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
