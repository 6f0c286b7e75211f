"""Tells what this interpreter is: one JSON object on stdout.

Must be valid syntax in any old Python, so that an interpreter that is too old can report its version.
"""
import json
import os
import sys


def version():
    return ".".join(str(part) for part in sys.version_info[:3])


def base_executable():
    """The interpreter a virtual environment was made from; this one, if it is in none."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    name = "python.exe" if os.name == "nt" else "python%d.%d" % sys.version_info[:2]
    folders = []
    try:
        with open(os.path.join(sys.prefix, "pyvenv.cfg"), encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition("=")
                if key.strip().lower() == "home":
                    folders.append(value.strip())
    except OSError:
        pass
    folders.append(sys.base_prefix if os.name == "nt" else os.path.join(sys.base_prefix, "bin"))
    for folder in folders:
        for candidate in (name, "python3", "python"):
            path = os.path.join(folder, candidate)
            if os.path.isfile(path):
                return path
    return getattr(sys, "_base_executable", sys.executable)


def find_pips():
    """Where pip can be run from, best first: its own installation, then the wheels that ensurepip or a system has."""
    import glob
    import importlib.util
    import re
    import sysconfig

    found = []
    spec = importlib.util.find_spec("pip")
    if spec and spec.origin:
        with open(spec.origin, encoding="utf-8") as file:
            match = re.search(r"""__version__ = ["']([^"']+)""", file.read())
        if match:
            found.append({"location": os.path.dirname(os.path.dirname(spec.origin)), "version": match.group(1)})
    stdlib = sysconfig.get_path("stdlib")
    folders = [os.path.join(stdlib, "ensurepip", "_bundled"), sysconfig.get_config_var("WHEEL_PKG_DIR")]
    if sys.base_prefix == "/usr":  # Debian's, for its own Python: an older pip does not run on a newer one
        folders.append("/usr/share/python-wheels")
    for folder in dict.fromkeys(folders):
        for wheel in sorted(glob.glob(os.path.join(glob.escape(folder), "pip-*.whl"))) if folder else ():
            found.append({"location": wheel, "version": os.path.basename(wheel).split("-")[1]})
    return found


def markers():
    """Values of the environment markers of PEP 508, by name."""
    import platform

    info = sys.implementation.version
    implementation = "%d.%d.%d" % info[:3] + ("" if info.releaselevel == "final" else info.releaselevel[0] + str(info.serial))
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": implementation,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "platform_python_implementation": platform.python_implementation(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def schemes():
    """Where an environment of this interpreter keeps what, relative to its folder."""
    import sysconfig

    names = sysconfig.get_scheme_names()
    scheme = "venv" if "venv" in names else ("nt" if os.name == "nt" else "posix_prefix")
    root = os.path.abspath(os.sep)
    variables = {"base": root, "platbase": root, "installed_base": root, "installed_platbase": root}
    paths = sysconfig.get_paths(scheme, variables)
    found = {key: os.path.relpath(paths[key], root) for key in ("purelib", "platlib", "scripts", "data")}
    # pip keeps an environment's headers below include/site (it has no header folder of its own in any scheme).
    found["headers"] = os.path.join("include", "site", "python%d.%d" % sys.version_info[:2])
    return found


def has_zstd():
    """Whether zipfile reads entries compressed by Zstandard: since Python 3.14, where it was built with the library."""
    if sys.version_info < (3, 14):
        return False
    try:
        import _zstd  # noqa: F401
    except ImportError:
        return False
    return True


def main():
    facts = {"version": version(), "executable": sys.executable}
    if sys.version_info >= (3, 8):
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        import importlib.util
        import wheel_tags

        sys.path.pop(0)
        abi, platform, tags = wheel_tags.supported()
        facts.update(
            base=base_executable(),
            prefix=os.path.realpath(sys.base_prefix),
            implementation=sys.implementation.name,
            abi=abi,
            platform=platform,
            tags=tags,
            markers=markers(),
            schemes=schemes(),
            pips=find_pips(),
            has_venv=importlib.util.find_spec("venv") is not None,
            has_zstd=has_zstd(),
        )
    sys.stdout.write(json.dumps(facts))


main()
