"""The wheel tags this interpreter accepts, most specific first (PEP 425, 600, 656), as packaging and pip compute them.

Kept apart from pip, because an interpreter without pip has tags too.
"""
import os
import platform
import re
import struct
import subprocess
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES

SHORT_NAMES = {"cpython": "cp", "pypy": "pp", "ironpython": "ip", "jython": "jy"}
# Architectures with a manylinux policy; on these the oldest glibc is 2.17, on x86 it is 2.5 (PEP 600).
MANYLINUX = {"x86_64", "i686", "aarch64", "armv7l", "ppc64", "ppc64le", "s390x", "loongarch64", "riscv64"}
LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
IS_32BIT = sys.maxsize <= 2**32


def normalise(text):
    return text.replace(".", "_").replace("-", "_").replace(" ", "_")


def read_elf(path):
    """Class, machine, flags and program interpreter of an executable; None if it is no ELF file."""
    try:
        with open(path, "rb") as file:
            ident = file.read(16)
            if ident[:4] != b"\x7fELF":
                return None
            order = "<" if ident[5] == 1 else ">"
            wide = ident[4] == 2
            layout = order + ("HHIQQQIHHH" if wide else "HHIIIIIHHH")
            head = struct.unpack(layout, file.read(struct.calcsize(layout)))
            _, machine, _, _, table, _, flags, _, size, count = head
            interpreter = ""
            for index in range(count):
                file.seek(table + index * size)
                if wide:
                    kind, _, offset, _, _, length = struct.unpack(order + "IIQQQQ", file.read(40))
                else:
                    kind, offset, _, _, length = struct.unpack(order + "IIIII", file.read(20))
                if kind == 3:  # PT_INTERP
                    file.seek(offset)
                    interpreter = os.fsdecode(file.read(length)).strip("\0")
            return {"wide": wide, "little": ident[5] == 1, "machine": machine, "flags": flags, "loader": interpreter}
    except (OSError, struct.error):
        return None


def glibc_version():
    text = ""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        pass
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else None


def has_manylinux_abi(arch, elf):
    if arch == "armv7l":  # hard float, EABI 5
        return bool(elf) and not elf["wide"] and elf["little"] and elf["machine"] == 40 and (
            elf["flags"] & 0xFF000000 == 0x05000000 and elf["flags"] & 0x400 == 0x400
        )
    if arch == "i686":
        return bool(elf) and not elf["wide"] and elf["little"] and elf["machine"] == 3
    return arch in MANYLINUX


def is_allowed(version, name, arch):
    """A distribution may overrule glibc's own word by a module named _manylinux (PEP 600)."""
    try:
        import _manylinux
    except ImportError:
        return True
    if hasattr(_manylinux, "manylinux_compatible"):
        answer = _manylinux.manylinux_compatible(version[0], version[1], arch)
        return True if answer is None else bool(answer)
    return bool(getattr(_manylinux, name + "_compatible", True)) if name in LEGACY.values() else True


def manylinux(arch, elf):
    version = glibc_version()
    if version is None or not has_manylinux_abi(arch, elf):
        return
    oldest = 5 if arch in ("x86_64", "i686") else 17
    newest = version[1] if version[0] == 2 else 50
    for minor in range(newest, oldest - 1, -1):
        name = "manylinux_2_%d" % minor
        if is_allowed((2, minor), name, arch):
            yield "%s_%s" % (name, arch)
        legacy = LEGACY.get((2, minor))
        if legacy and is_allowed((2, minor), legacy, arch):
            yield "%s_%s" % (legacy, arch)


def musllinux(arch, elf):
    if not elf or "musl" not in elf["loader"]:
        return
    try:
        output = subprocess.run([elf["loader"]], stderr=subprocess.PIPE, universal_newlines=True).stderr
    except OSError:
        return
    match = re.search(r"^Version (\d+)\.(\d+)", output, re.MULTILINE)
    if match:
        for minor in range(int(match.group(2)), -1, -1):
            yield "musllinux_%s_%d_%s" % (match.group(1), minor, arch)


def linux_platforms():
    name = normalise(sysconfig.get_platform())
    if not name.startswith("linux_"):
        yield name
        return
    if IS_32BIT:
        name = {"linux_x86_64": "linux_i686", "linux_aarch64": "linux_armv8l"}.get(name, name)
    arch = name.split("_", 1)[1]
    elf = read_elf(sys.executable)
    # A 32-bit Python on a 64-bit ARM kernel runs what was built for either.
    arches = {"armv8l": ["armv8l", "armv7l"]}.get(arch, [arch])
    # What was built for this very system comes first, as with pip since 26.3.
    for one in arches:
        yield "linux_" + one
    for one in arches:
        yield from manylinux(one, elf)
    for one in arches:
        yield from musllinux(one, elf)


def mac_formats(version, arch):
    formats = [arch]
    if arch == "x86_64":
        formats += ["intel", "fat64", "fat32"]
    elif arch == "i386":
        formats += ["intel", "fat32", "fat"]
    if arch in ("arm64", "x86_64"):
        formats.append("universal2")
    if arch in ("x86_64", "i386"):
        formats.append("universal")
    return formats if version >= (10, 4) or arch == "arm64" else []


def mac_platforms():
    text, _, arch = platform.mac_ver()
    version = tuple(int(part) for part in (text + ".0").split(".")[:2])
    if version == (10, 16):  # what macOS 11 and later tell an old build; the truth takes a fresh process
        output = subprocess.run(
            [sys.executable, "-sS", "-c", "import platform; print(platform.mac_ver()[0])"],
            env={"SYSTEM_VERSION_COMPAT": "0"}, stdout=subprocess.PIPE, universal_newlines=True,
        ).stdout
        version = tuple(int(part) for part in (output.strip() + ".0").split(".")[:2])
    if IS_32BIT:
        arch = "ppc" if arch.startswith("ppc") else "i386"
    if version >= (11, 0):
        for major in range(version[0], 10, -1):
            for kind in mac_formats((major, 0), arch):
                yield "macosx_%d_0_%s" % (major, kind)
        for minor in range(16, 3, -1):
            for kind in mac_formats((10, minor), arch) if arch == "x86_64" else ["universal2"]:
                yield "macosx_10_%d_%s" % (minor, kind)
    else:
        for minor in range(version[1], -1, -1):
            for kind in mac_formats((10, minor), arch):
                yield "macosx_10_%d_%s" % (minor, kind)


def platforms():
    system = platform.system()
    if system == "Darwin":
        return list(mac_platforms())
    if system == "Linux":
        return list(linux_platforms())
    return [normalise(sysconfig.get_platform())]


def cpython_abis(nodot):
    debug = sysconfig.get_config_var("Py_DEBUG")
    if debug is None:  # Windows does not set it
        debug = hasattr(sys, "gettotalrefcount") or "_d.pyd" in EXTENSION_SUFFIXES
    threads = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    abi = "cp%s%s" % (nodot, threads)
    return [abi + "d", abi] if debug else [abi]


def other_abis():
    soabi = sysconfig.get_config_var("SOABI") or ""
    if sys.implementation.name == "pypy":
        return ["_".join(normalise(soabi).split("_")[:2])] if soabi else []
    return [normalise(soabi)] if soabi else []


def supported():
    """(abi, platform, tags) of the running interpreter."""
    major, minor = sys.version_info[:2]
    nodot = "%d%d" % (major, minor)
    short = SHORT_NAMES.get(sys.implementation.name, sys.implementation.name)
    known = platforms()
    tags = []

    def add(interpreter, abi, where=known):
        tags.extend("%s-%s-%s" % (interpreter, abi, one) for one in where)

    if short == "cp":
        abis = cpython_abis(nodot)
        own = "cp" + nodot
        for abi in abis:
            add(own, abi)
        # A free-threaded build has a stable ABI of its own (PEP 803).
        stable = "abi3t" if abis[0].rstrip("d").endswith("t") else "abi3"
        add(own, stable)
        add(own, "none")
        for older in range(minor - 1, 1, -1):
            add("cp%d%d" % (major, older), stable)
        generic = own
    else:
        abis = other_abis()
        own = short + nodot
        for abi in abis + ["none"]:
            add(own, abi)
        generic = "pp3" if short == "pp" else own
    pure = ["py" + nodot, "py%d" % major] + ["py%d%d" % (major, older) for older in range(minor - 1, -1, -1)]
    for one in pure:
        add(one, "none")
    add(generic, "none", ["any"])
    for one in pure:
        add(one, "none", ["any"])
    return (abis or ["none"])[0], normalise(sysconfig.get_platform()), tags
