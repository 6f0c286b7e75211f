"""Binds this process and its children to the modes of files, where other environments share them.

Executed, like die_with_host.py, before anything of a package is loaded. Linked files are read-only, which binds
everyone but whoever has CAP_DAC_OVERRIDE: root, and whoever has made a user namespace of their own.
"""


def heed_modes():
    import sys

    if sys.platform == "linux" and overrides_modes() and shares_files():
        give_up()


CAP_DAC_OVERRIDE = 1


def overrides_modes():
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            held = [line.split()[1] for line in status if line.startswith("CapEff:")]
    except OSError:
        held = []
    return not held or bool(int(held[0], 16) >> CAP_DAC_OVERRIDE & 1)


def shares_files():
    """Whether the packages of this environment are links to files that other environments have too."""
    import os
    import sys

    for folder in sys.path:
        if folder.startswith(sys.prefix) and os.path.isdir(folder):
            for name in os.listdir(folder):
                if name.endswith(".dist-info") and links(os.path.join(folder, name, "METADATA")) > 1:
                    return True
    return False


def links(file):
    import os

    try:
        return os.stat(file).st_nlink
    except OSError:
        return 0


def give_up():
    import ctypes

    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    if libc.capget(header, sets) == 0:
        libc.prctl(24, CAP_DAC_OVERRIDE, 0, 0, 0)  # PR_CAPBSET_DROP
        for index in range(3):
            sets[index] &= ~(1 << CAP_DAC_OVERRIDE)
        libc.capset(header, sets)


heed_modes()
