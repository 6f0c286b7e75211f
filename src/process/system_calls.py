"""The few system calls that Python has no function for, by way of the C library.

Executed by contain.py. `_ctypes` alone does: importing ctypes takes a tenth of the start of a small worker.
"""
from sys import byteorder


class System:
    """Calls give whether they succeeded. What a Python lacks is said once, by `find()`."""

    def __init__(self, load, symbol, call):
        self._library = load(None, 2)
        self._symbol, self._call, self._known = symbol, call, {}

    @staticmethod
    def find():
        import sys

        if not sys.platform.startswith("linux"):
            return None
        try:
            from _ctypes import call_function, dlopen, dlsym

            return System(dlopen, dlsym, call_function)
        except Exception:
            return None  # a Python that was built without

    def call(self, name, *arguments):
        if name not in self._known:
            self._known[name] = self._symbol(self._library, name)
        return self._call(self._known[name], arguments)

    def prctl(self, option, argument, third=0, fourth=0, fifth=0):
        return self.call("prctl", option, argument, third, fourth, fifth) == 0

    def unshare(self, flags):
        return self.call("unshare", flags) == 0

    def mount(self, source, target, kind=None, flags=0, options=None):
        text = [value if value is None else value.encode("utf-8", "surrogateescape")
                for value in (source, target, kind, options)]
        return self.call("mount", text[0], text[1], text[2], flags, text[3]) == 0

    def make_read_only(self, path):
        """A mount with all below it, in one call (mount_setattr(2), Linux 5.12); the C library has none before glibc 2.36."""
        attributes = (1).to_bytes(8, byteorder) + bytes(24)  # MOUNT_ATTR_RDONLY is set, nothing is cleared
        below = 0x8000  # AT_RECURSIVE
        text = path.encode("utf-8", "surrogateescape")
        return self.call("syscall", 442, -100, text, below, attributes, len(attributes)) == 0

    def clear(self, start, end):
        """Overwrites memory of this process with zeros."""
        from _ctypes import _SimpleCData

        class Word(_SimpleCData):
            _type_ = "P"

        self.call("memset", Word(start), 0, Word(end - start))
