"""Makes this interpreter that of an environment, as if it had been started there: its prefix, its packages, and what
these run at the start (`.pth` files, sitecustomize).

Executed by launch.py once the bounds are in force. It runs in the interpreter that the environment was made from,
started without `site`, because the environment's own files are the package's.
"""
import os
import sys


class WithSite:
    """The flags of this interpreter, as if it was started with `site`: children are started with the same flags
    (multiprocessing, subprocess), and would have no packages."""

    def __init__(self, flags):
        self._flags = flags
        self.no_site = 0

    def __getattr__(self, name):
        return getattr(self._flags, name)

    def __repr__(self):
        return repr(self._flags).replace("no_site=1", "no_site=0")


def enter(executable):
    """`executable`: the environment's interpreter, or None for the running interpreter."""
    sys.flags = WithSite(sys.flags)
    # A version is sealed with its byte code; what a child of this process writes is none of it, either.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if executable is not None:
        folder = os.path.dirname(os.path.dirname(executable))
        sys.executable = executable
        os.environ.pop("__PYVENV_LAUNCHER__", None)  # macOS: it would go before
        if os.path.isfile(os.path.join(folder, "pyvenv.cfg")):
            sys.prefix = sys.exec_prefix = folder
    import site  # runs its main(), by the flags above
