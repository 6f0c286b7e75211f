"""What an interpreter on another system says of itself, and what pip makes of the same: tags, best first.

    python other_platform.py <folder of wheel_tags.py> <folder that pip is in> <empty folder>

Reads {"platform", "machine", "glibc", "musl", "elf"} on stdin: `platform` as sysconfig gives it; `elf` the machine number of
the executable. What differs between systems is put in the place of what this one has: the platform, the C library and
the executable, a header that names its loader.
"""
import ctypes
import json
import os
import struct
import sys
import sysconfig

tags_folder, pip, folder = sys.argv[1:]
told = json.load(sys.stdin)
sys.path[:0] = [tags_folder, pip]


def executable(loader, machine):
    """The header of a 64-bit program with one segment, which names its loader."""
    name = loader.encode() + b"\0"
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 3, 4, 120, 120, 120, len(name), len(name), 1)
    return ident + head + segment + name


loader = os.path.join(folder, "ld-musl.so.1" if told.get("musl") else "ld-linux.so.1")
with open(loader, "w") as file:
    file.write("#!/bin/sh\nprintf 'musl libc\\nVersion %s\\nDynamic Program Loader\\n' >&2\nexit 1\n" % told.get("musl"))
os.chmod(loader, 0o755)
with open(os.path.join(folder, "python"), "wb") as file:
    file.write(executable(loader, told["elf"]))


def confstr(name):
    if not told.get("glibc"):
        raise ValueError("unrecognized configuration name")
    return "glibc " + told["glibc"]


def no_library(*_):
    raise OSError("there is no such library")


import wheel_tags
from pip._vendor.packaging import tags

sysconfig.get_platform = lambda: told["platform"]
os.confstr = confstr
ctypes.CDLL = no_library
sys.executable = os.path.join(folder, "python")
abi, platform, ours = wheel_tags.supported()
print(json.dumps({"abi": abi, "platform": platform, "ours": ours, "pips": [str(tag) for tag in tags.sys_tags()]}))
