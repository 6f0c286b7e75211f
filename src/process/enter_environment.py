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


def refuse_another_version(folder, executable):
    """One of another minor version does not look where the packages are, and would say that the package has none."""
    own = "python%d.%d" % sys.version_info[:2]
    try:
        found = [name for name in os.listdir(os.path.join(folder, "lib")) if name.startswith("python")]
    except OSError:
        return
    if found and own not in found and sys.implementation.name == "cpython":
        raise SystemExit("The environment %s was made with %s, but its interpreter %s is %s now. Install the version again "
                         "with force, or install that Python again"
                         % (folder, found[0], os.path.realpath(executable), own))


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
            refuse_another_version(folder, executable)
            sys.prefix = sys.exec_prefix = folder
    import site  # runs its main(), by the flags above
