"""The compiled stages of a worker's start in one file: to find, open and check each takes longer than to read them all.

The file lies in `__pycache__`, where Python keeps what it compiles itself, under the same rules: a stage is taken while its
source has the size and the time that it was compiled with. Besides, the file is taken only where it belongs to this user or to
root and nobody else may write to it, and a stage only where its bytes have their checksum: a cut of power may leave others.
"""
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader  # both there from the start
from _imp import source_hash

FOLDERS = ("worker", "process", "worker/bundled", "worker/bundled/procvision_bundled_worker")
HASH_BYTES, LENGTH_BYTES = 8, 4


def checksum(data):
    return source_hash(0, data)


class Stages:
    """`folder`: where `worker` and `process` lie. Files are named by their absolute path."""

    def __init__(self, folder):
        self._folder = folder
        self._file = os.path.join(folder, "worker", "__pycache__", "stages.%s.bin" % sys.implementation.cache_tag)
        self._data = b""
        self._kept = {}  # by path: time and size of the source, place and length of its code, checksum
        try:
            self._read()
        except (OSError, ValueError, EOFError, TypeError):
            pass  # there is none yet, or none that can be read
        self._is_stale = not self._kept

    def path_of(self, *script):
        return os.path.join(self._folder, *script)

    def code_of(self, path):
        about = os.stat(path)
        time, size, start, length, expected = self._kept.get(path, (None,) * 5)
        if (time, size) == (about.st_mtime_ns, about.st_size):
            code = self._data[start:start + length]
            if checksum(code) == expected:
                return marshal.loads(code)
        self._is_stale = True
        return SourceFileLoader("procvision_launcher", path).get_code("procvision_launcher")

    def make_ready(self):
        """Before the bounds: in them nothing can be written, and what is not compiled would be at every start. Also where this
        Python is to write no byte code, which is said of the package's."""
        if not self._is_stale and not any(self._has_changed(path) for path in self._kept):
            return
        try:
            self._write(self._compile())
        except OSError:
            pass  # this folder cannot be written to

    def _has_changed(self, path):
        try:
            about = os.stat(path)
        except OSError:
            return True
        return self._kept[path][:2] != (about.st_mtime_ns, about.st_size)

    def _read(self):
        number = os.open(self._file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        try:
            about = os.fstat(number)
            if hasattr(os, "getuid") and (about.st_uid not in (0, os.getuid()) or about.st_mode & 0o022):
                return
            data = os.read(number, about.st_size)
        finally:
            os.close(number)
        place = len(MAGIC_NUMBER)
        expected, length = data[place:place + HASH_BYTES], data[place + HASH_BYTES:place + HASH_BYTES + LENGTH_BYTES]
        place += HASH_BYTES + LENGTH_BYTES
        end = place + int.from_bytes(length, "little")
        if data.startswith(MAGIC_NUMBER) and checksum(data[place:end]) == expected:
            self._kept, self._data = marshal.loads(data[place:end]), data[end:]

    def _compile(self):
        index, codes = {}, b""
        for folder in FOLDERS:
            folder = self.path_of(*folder.split("/"))
            for name in sorted(os.listdir(folder)):
                path = os.path.join(folder, name)
                if not name.endswith(".py"):
                    continue
                about = os.stat(path)
                with open(path, "rb") as file:
                    code = marshal.dumps(compile(file.read(), path, "exec", dont_inherit=True, optimize=2))
                index[path] = about.st_mtime_ns, about.st_size, len(codes), len(code), checksum(code)
                codes += code
        about = marshal.dumps(index)
        return MAGIC_NUMBER + checksum(about) + len(about).to_bytes(LENGTH_BYTES, "little") + about + codes

    def _write(self, data):
        os.makedirs(os.path.dirname(self._file), exist_ok=True)
        new = "%s.%d.new" % (self._file, os.getpid())
        number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
        try:
            with open(number, "wb") as file:
                file.write(data)
            os.replace(new, self._file)
        except OSError:
            os.unlink(new)
            raise


class OwnModules:
    """Finds the modules of the bundled worker, in a `with` alone: the algorithm's own modules must not meet ours."""

    PACKAGE = "procvision_bundled_worker"

    def __init__(self, stages):
        self._stages = stages

    def __enter__(self):
        sys.meta_path.insert(0, self)

    def __exit__(self, *fault):
        sys.meta_path.remove(self)

    def find_spec(self, name, path=None, target=None):
        package, _, module = name.partition(".")
        if package != self.PACKAGE:
            return None
        folder = self._stages.path_of("worker", "bundled", package)
        spec = ModuleSpec(name, self, origin=os.path.join(folder, (module or "__init__") + ".py"), is_package=not module)
        if not module:
            spec.submodule_search_locations.append(folder)
        spec.has_location = True
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(self._stages.code_of(module.__spec__.origin), module.__dict__)
